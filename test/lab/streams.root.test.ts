/** Streams to pods by the programs people use: kubectl new and old, over WebSocket and SPDY, through the API server to the kubelet. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { openTerminal } from "#kernel/terminal";
import { TerminalStream } from "#kernel/terminal-stream";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, removeStaleLabs } from "./lab.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const KUBECTL = "kubectl";
const OLD_KUBECTL = fileURLToPath(new URL("../../.twill/debian-kubectl/usr/bin/kubectl", import.meta.url));
const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: ${IMAGE}, args: [netexec, --http-port=8080]}
---
apiVersion: v1
kind: Pod
metadata: {name: teller}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - {name: first, image: ${IMAGE}, command: [sh, -c, echo beginning]}
  containers:
  - name: main
    image: ${IMAGE}
    command: [sh, -c, "for i in 1 2 3; do echo line $i; done; sleep 0.5; echo last >&2; exit 3"]
  - {name: other, image: ${IMAGE}, command: [sh, -c, echo other; sleep 1000]}
`;

const lab = new Lab("s");
const scratch = mkdtempSync(join(tmpdir(), "twill-streams-"));

before(() => {
  removeStaleLabs();
  const ran = lab.twill("up");
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
  lab.apply(PODS);
  lab.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s");
});
after(() => {
  lab.down();
  rmSync(scratch, { recursive: true });
});

interface Client {
  readonly name: string;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

const WITHOUT_WEBSOCKETS = {
  KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false",
  KUBECTL_PORT_FORWARD_WEBSOCKETS: "false",
};
const CLIENTS: readonly Client[] = [
  { name: "kubectl", program: KUBECTL, env: {} },
  { name: "kubectl without WebSocket", program: KUBECTL, env: WITHOUT_WEBSOCKETS },
  { name: "an old kubectl", program: OLD_KUBECTL, env: {} },
];

function environment(client: Client): NodeJS.ProcessEnv {
  return { ...process.env, ...client.env, KUBECONFIG: join(LAB_ROOTS.state, lab.name, "kubeconfig.yaml") };
}

async function run(client: Client, args: readonly string[], input = "") {
  const child = spawn(client.program, [...args], { env: environment(client), stdio: "pipe" });
  child.stdin.on("error", () => {}); // It may end before it has read everything.
  child.stdin.end(input);
  const ended = once(child, "close") as Promise<[number]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { out, err, code };
}

/** A kubectl in a terminal of 97 columns and 31 rows. */
class Session implements Disposable {
  readonly #child: ChildProcess;
  readonly #terminal: TerminalStream;
  readonly #ended: Promise<number>;
  #seen = "";

  constructor(client: Client, args: readonly string[]) {
    using terminal = openTerminal("/dev/pts/ptmx");
    const peer = terminal.peer.number;
    this.#child = spawn("setsid", ["--ctty", client.program, ...args], {
      env: { ...environment(client), TERM: "xterm" },
      stdio: [peer, peer, peer],
    });
    this.#ended = once(this.#child, "exit").then(([code]: number[]) => code ?? -1);
    this.#terminal = new TerminalStream(terminal.master);
    this.#terminal.resize({ columns: 97, rows: 31 });
    this.#terminal.on("data", (data: Buffer) => {
      this.#seen += data;
    });
  }

  async sees(want: RegExp): Promise<void> {
    await eventually(`a terminal shows ${want}`, () => {
      if (want.test(this.#seen)) return true;
      throw new Error(`it shows ${JSON.stringify(this.#seen)}`);
    });
  }

  type(said: string): void {
    this.#terminal.write(said);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize({ columns, rows });
  }

  ended(): Promise<number> {
    return this.#ended;
  }

  [Symbol.dispose](): void {
    this.#terminal.destroy();
    this.#child.kill("SIGKILL");
  }
}

for (const client of CLIENTS) {
  describe(client.name, { skip: client.program.startsWith("/") && !existsSync(client.program) }, () => {
    test("runs a command, whose output, errors and code come back", async () => {
      const { out, err, code } = await run(
        client,
        ["exec", "-i", "web", "--", "sh", "-c", "cat; echo bad >&2; exit 7"],
        "said",
      );
      assert.deepEqual([out, code], ["said", 7]);
      assert.match(err, /^bad\n/);
    });

    test("is told that there is no such program", async () => {
      const { err, code } = await run(client, ["exec", "web", "--", "nope"]);
      assert.equal(code, 1);
      assert.match(err, /exec: "nope": executable file not found in \$PATH/);
    });

    test("has a terminal in the container, of its own size", async () => {
      using session = new Session(client, ["exec", "-it", "web", "--", "sh"]);
      session.type("until stty size | grep '31 97'; do :; done; tty\n");
      await session.sees(/31 97\r\n\/dev\/pts\/\d+\r\n/);
      session.resize(88, 22);
      session.type("until stty size | grep '22 88'; do :; done; exit 5\n");
      await session.sees(/22 88\r\n/);
      assert.equal(await session.ended(), 5);
    });

    test("copies a file there and back", async () => {
      const name = client.name.replaceAll(" ", "-");
      const [there, back] = [join(scratch, name), join(scratch, `${name}.back`)];
      const bytes = randomBytes(6 * 1024 * 1024);
      writeFileSync(there, bytes);
      const copied = await run(client, ["cp", there, `web:/tmp/${name}`]);
      assert.equal(copied.code, 0, copied.err);
      const sum = await run(client, ["exec", "web", "--", "sha256sum", `/tmp/${name}`]);
      assert.equal(sum.out.split(" ")[0], createHash("sha256").update(bytes).digest("hex"));
      assert.equal((await run(client, ["cp", `web:/tmp/${name}`, back])).code, 0);
      assert.ok(readFileSync(back).equals(bytes));
    });

    test("forwards a port, for many connections at once", async () => {
      const port = await freePort();
      const forward = spawn(client.program, ["port-forward", "pod/web", `${port}:8080`], {
        env: environment(client),
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        await once(forward.stdout, "data");
        const ask = async () => {
          const answer = await request(`http://127.0.0.1:${port}/hostname`, { reset: true });
          return await answer.body.text();
        };
        const answers = await Promise.all(Array.from({ length: 25 }, ask));
        assert.deepEqual([...new Set(answers)], ["web"]);
      } finally {
        forward.kill("SIGKILL");
      }
    });
  });
}

const [client] = CLIENTS as readonly [Client, ...Client[]];
const logs = async (...args: readonly string[]) => (await run(client, ["logs", ...args])).out;

test("run -it: a program is talked to, and its code is kubectl's", async () => {
  const args = ["run", "talk", "--rm", "-it", `--image=${IMAGE}`, "--restart=Never", "--command", "--", "sh"];
  using session = new Session(client, args);
  await session.sees(/If you don't see a command prompt/);
  session.type("echo sum $((40+2))\n");
  await session.sees(/sum 42\r\n/);
  session.type("exit 4\n");
  assert.equal(await session.ended(), 4);
});

test("run -i: what is piped in is the program's input, to its end", async () => {
  const args = ["run", "piped", "--rm", "-i", `--image=${IMAGE}`, "--restart=Never", "--command", "--"];
  const { out, code } = await run(client, [...args, "sh", "-c", "wc -l; echo done"], "a\nb\nc\n");
  assert.equal(code, 0);
  assert.match(out, /done\n/);
});

test("debug: a container beside a running one sees its processes", async () => {
  const debug = [
    "debug",
    "web",
    `--image=${IMAGE}`,
    "--target=main",
    "-c",
    "look",
    "--profile=general",
    "--",
  ];
  const { code, err } = await run(client, [...debug, "sh", "-c", "ps -e -o args; echo seen"]);
  assert.equal(code, 0, err);
  await eventually("the debugger has seen netexec", async () => {
    const said = await logs("web", "-c", "look");
    return said.includes("seen") && said.includes("netexec");
  });
});

test("logs: of each container, of init containers, by lines, bytes and time", async () => {
  await eventually("all has been said", async () =>
    (await logs("teller", "-c", "main", "-p")).includes("last"),
  );
  const previous = ["teller", "-c", "main", "-p"];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["teller", "-c", "first"], /^beginning\n$/],
    [previous, /^line 1\nline 2\nline 3\nlast\n$/],
    [[...previous, "--tail=2"], /^line 3\nlast\n$/],
    [[...previous, "--tail=0"], /^$/],
    [[...previous, "--limit-bytes=9"], /^line 1\nli$/],
    [[...previous, "--since-time=2999-01-01T00:00:00Z"], /^$/],
    [[...previous, "--timestamps", "--tail=1"], /^\d{4}-\d\d-\d\dT\S+Z last\n$/],
    [["teller", "--all-containers", "--prefix"], /^\[pod\/teller\/other\] other$/m],
  ];
  await Promise.all(
    cases.map(async ([args, want]) =>
      assert.match(await logs(...args), want, `kubectl logs ${args.join(" ")}`),
    ),
  );
  const missing = await run(client, ["logs", "web", "-c", "main", "-p"]);
  assert.match(missing.err, /previous terminated container "main" in pod "web" not found/);
});

test("logs -f: ends with the container that it follows, though that is restarted", async () => {
  const begun = await eventually("it runs again", async () => {
    const { out } = await run(client, ["logs", "-f", "teller", "-c", "main", "--tail=-1"]);
    return out.endsWith("last\n") ? out : undefined;
  });
  assert.equal(begun, "line 1\nline 2\nline 3\nlast\n");
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
