import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";
import type { Container, Pod, PodSpec } from "#kube/generated/types";
import type { CommandWants } from "#kube/stream/command-session";
import type { Command } from "./testing/agent.ts";
import { TestAuthority } from "./testing/certificates.ts";
import { KubeletClient } from "./testing/kubelet-client.ts";
import { NodeWorld } from "./testing/node-world.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const authority = new TestAuthority();
const tls = { ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"), clientCa: authority.cert };
const admin = { ...authority.issue("admin", "/O=system:masters/CN=admin"), ca: authority.cert };
const stranger = {
  ...authority.issue("stranger", "/O=system:nodes/CN=system:node:other"),
  ca: authority.cert,
};
after(() => authority[Symbol.dispose]());

const OUT: CommandWants = { stdin: false, stdout: true, stderr: true, tty: false };
const ALL: CommandWants = { stdin: true, stdout: true, stderr: true, tty: false };
const TTY: CommandWants = { stdin: true, stdout: true, stderr: false, tty: true };

function created(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): Command {
  const object: Pod = {
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      nodeName: "node-1",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: [{ name: "main", image: IMAGE, ...container }],
    },
  };
  return { do: "create", kind: "pods", object };
}

function queryOf({ stdin, stdout, stderr, tty }: CommandWants, command: readonly string[] = []): string {
  const flags = { input: stdin, output: stdout, error: stderr, tty };
  const set = Object.entries(flags).flatMap(([name, is]) => (is ? [`${name}=1`] : []));
  return [...set, ...command.map((word) => `command=${encodeURIComponent(word)}`)].join("&");
}

describe("streams into a node's containers", () => {
  let world: NodeWorld;
  let kubelet: KubeletClient;
  const main = (name: string) => world.pod(name)?.status?.containerStatuses?.[0];
  const isRunning = (name: string) => main(name)?.state?.running;
  const exec = (wants: CommandWants, ...command: readonly string[]) =>
    kubelet.command(`/exec/default/web/main?${queryOf(wants, command)}`, wants);
  const ran = async (wants: CommandWants, input: string | undefined, ...command: readonly string[]) => {
    const { stdin, stdout, stderr, error } = await exec(wants, ...command);
    if (input !== undefined) stdin?.end(input);
    const [out, err, status] = await Promise.all([read(stdout), read(stderr), text(error)]);
    return {
      out,
      err,
      status: JSON.parse(status) as { status: string; message?: string; details?: unknown },
    };
  };

  before(async () => {
    world = new NodeWorld(tls);
    await world.start();
    kubelet = new KubeletClient(`/run/netns/${world.netns}`, admin);
    world.send(
      created("web", { args: ["netexec", "--http-port=8080"], env: [{ name: "COLOR", value: "green" }] }),
    );
    await world.until("the pod runs", () => isRunning("web"));
  });
  after(() => world[Symbol.asyncDispose]());

  test("exec: output, errors and the exit code come back", async () => {
    const { out, err, status } = await ran(
      OUT,
      undefined,
      "sh",
      "-c",
      "echo out; echo err >/dev/stderr; exit 7",
    );
    assert.deepEqual([out, err, status.status], ["out\n", "err\n", "Failure"]);
    assert.deepEqual(status.details, { causes: [{ reason: "ExitCode", message: "7" }] });
  });

  test("exec: a user who is not root may open its output again, and has no more rights than the container", async () => {
    world.send(created("user", { securityContext: { runAsUser: 1234, runAsGroup: 77 } }));
    await world.until("the pod runs", () => isRunning("user"));
    const { stdout, stderr } = await kubelet.command(
      `/exec/default/user/main?${queryOf(OUT, ["sh", "-c", "echo $(id -u) $(id -g) >/dev/stdout; echo bad >/dev/stderr"])}`,
      OUT,
    );
    assert.deepEqual(await Promise.all([read(stdout), read(stderr)]), ["1234 77\n", "bad\n"]);
  });

  test("exec: what runs has the container's environment, files and processes", async () => {
    const { out } = await ran(
      OUT,
      undefined,
      "sh",
      "-c",
      "echo $COLOR; pwd; cat /etc/hostname; cat /proc/1/comm",
    );
    assert.deepEqual(out.split("\n").slice(0, 3), ["green", "/", "web"]);
  });

  test("exec: input reaches the command, and its end too", async () => {
    const { out, status } = await ran(ALL, "two\nlines\n", "wc", "-l");
    assert.deepEqual([out.trim(), status.status], ["2", "Success"]);
  });

  test("exec: tens of megabytes both ways, byte for byte", async () => {
    const { stdin, stdout, stderr, error } = await exec(ALL, "cat");
    stderr?.resume();
    const block = randomBytes(1024 * 1024);
    const [want, got] = [createHash("sha256"), createHash("sha256")];
    const source = Readable.from(
      (function* () {
        for (let i = 0; i < 24; i++) {
          want.update(block);
          yield block;
        }
      })(),
    );
    assert.ok(stdin && stdout);
    await Promise.all([pipeline(source, stdin), pipeline(stdout, got)]);
    assert.equal(got.digest("hex"), want.digest("hex"));
    assert.equal(JSON.parse(await text(error)).status, "Success");
  });

  test("exec: a command may be as long as a page of text", async () => {
    const { out } = await ran(OUT, undefined, "echo", "-n", "x".repeat(60_000));
    assert.equal(out, "x".repeat(60_000));
  });

  test("exec: a command that is not there is told as runtimes tell it", async () => {
    const { status } = await ran(OUT, undefined, "nope");
    assert.match(status.message ?? "", /exec: "nope": executable file not found in \$PATH/);
  });

  test("exec: a terminal is the container's own, knows its size, and hangs up when the client leaves", async () => {
    const { stdin, stdout, resize, connection } = await exec(TTY, "sh");
    let seen = "";
    stdout?.on("data", (data: Buffer) => {
      seen += data;
    });
    resize?.write('{"Width":123,"Height":45}\n');
    stdin?.write("tty; echo term=$TERM; echo pid=$$\n");
    await world.until("the terminal answers", () => /pid=\d+\r\n/.test(seen));
    assert.match(seen, /\/dev\/pts\/\d+\r\n/);
    assert.match(seen, /term=xterm\r\n/);
    stdin?.write("stty size\n");
    await world.until("the size is known", () => seen.includes("45 123\r\n"));
    stdin?.write("sleep 1000; echo never\n");
    const sleeping = await ran(
      OUT,
      undefined,
      "timeout",
      "10",
      "sh",
      "-c",
      "until pgrep -x sleep >&2; do :; done; echo up",
    );
    assert.match(sleeping.out, /up/);
    connection.destroy();
    const gone = await ran(
      OUT,
      undefined,
      "timeout",
      "10",
      "sh",
      "-c",
      "while pgrep -r S,R,D -x sleep >&2; do :; done; echo gone",
    );
    assert.match(gone.out, /gone/);
  });

  test("attach: what a container writes from now on is shown, and its input is passed on", async () => {
    world.send(
      created("typed", {
        command: ["sh", "-c", "echo early; cat; echo over >&2"],
        stdin: true,
        stdinOnce: true,
      }),
    );
    await world.until("the pod runs", () => isRunning("typed"));
    const { stdin, stdout, stderr, error } = await kubelet.command(
      `/attach/default/typed/main?${queryOf(ALL)}`,
      ALL,
    );
    stdin?.end("one\ntwo\n");
    const [out, err, status] = await Promise.all([read(stdout), read(stderr), text(error)]);
    assert.match(out, /one\ntwo\n$/);
    assert.deepEqual([err, JSON.parse(status)], ["over\n", { metadata: {}, status: "Success" }]);
    await world.until(
      "it has ended",
      () => main("typed")?.lastState?.terminated ?? main("typed")?.state?.terminated,
    );
  });

  test("port-forward: a port of the pod answers, one where nobody listens does not end the session", async () => {
    const { client, connection } = await kubelet.ports("/portForward/default/web");
    const ask = async (port: number) => {
      const stream = await client.open(port);
      stream.end("GET /hostname HTTP/1.0\r\n\r\n");
      return await text(stream);
    };
    assert.match(await ask(8080), /\r\n\r\nweb$/);
    await assert.rejects(
      ask(9),
      /error forwarding port 9 to pod default\/web: failed to connect to localhost:9 /,
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(8080)));
    assert.ok(answers.every((answer) => answer.endsWith("web")));
    connection.destroy();
  });

  const refusals: readonly { ask: string; want: number; says: RegExp }[] = [
    {
      ask: "GET /exec/default/web/main",
      want: 400,
      says: /^you must specify at least 1 of stdin, stdout, stderr$/,
    },
    { ask: "GET /exec/default/web/main?output=1", want: 400, says: /^Upgrade request required$/ },
    { ask: "GET /containerLogs/default/none/main", want: 404, says: /^pod "none" does not exist\n$/ },
    {
      ask: "GET /containerLogs/default/web/no",
      want: 404,
      says: /^container "no" not found in pod "web"\n$/,
    },
    {
      ask: "GET /containerLogs/default/web/main?previous=true",
      want: 400,
      says: /^previous terminated container "main" in pod "web" not found$/,
    },
    { ask: "GET /containerLogs/default/web/main?tailLines=x", want: 400, says: /Unable to decode query/ },
    { ask: "POST /run/default/web/none?cmd=ls", want: 500, says: /^container not found \("none"\)$/ },
    { ask: "POST /run/default/web/main?cmd=false", want: 500, says: /^command 'false' exited with 1: $/ },
    { ask: "DELETE /pods", want: 405, says: /405: Method Not Allowed/ },
    { ask: "GET /debug/pprof/", want: 404, says: /404 page not found/ },
    { ask: "GET /logs/../../etc/passwd", want: 404, says: /404 page not found/ },
  ];
  for (const { ask, want, says } of refusals) {
    test(`${ask} is answered with ${want}`, async () => {
      const [method = "", path = ""] = ask.split(" ");
      const { status, body } = await kubelet.ask(method, path);
      assert.equal(status, want);
      assert.match(body, says);
    });
  }

  const upgrades: readonly { path: string; want: number; says: string }[] = [
    { path: "/exec/default/none/main?output=1", want: 404, says: "pod does not exist" },
    { path: "/exec/default/web/none?output=1", want: 500, says: 'container not found ("none")' },
    { path: "/exec/default/web/other-uid/main?output=1", want: 500, says: 'container not found ("main")' },
    { path: "/portForward/default/none", want: 404, says: "pod does not exist" },
  ];
  for (const { path, want, says } of upgrades) {
    test(`an upgrade at ${path} is refused with ${want}`, async () => {
      const upgraded = await kubelet.upgrade(path, "v4.channel.k8s.io");
      assert.equal(upgraded.answer.statusCode, want);
      assert.equal(upgraded.kind === "refused" && (await text(upgraded.answer)), says);
    });
  }

  test("nobody but the API server and administrators gets anything", async () => {
    const other = new KubeletClient(`/run/netns/${world.netns}`, stranger);
    for (const path of ["/healthz", "/pods", "/containerLogs/default/web/main", "/metrics/resource"])
      assert.equal((await other.ask("GET", path)).status, 403, path);
    const { kind, answer } = await other.upgrade(
      "/exec/default/web/main?output=1&command=ls",
      "v4.channel.k8s.io",
    );
    assert.equal(kind, "refused");
    assert.match(await text(answer), /^Forbidden \(user=system:node:other, verb=create, .*proxy/);
  });

  test("the pages about the node are there", async () => {
    const page = async (path: string) => (await kubelet.ask("GET", path)).body;
    const json = async (path: string) => JSON.parse(await page(path)) as Record<string, unknown>;
    assert.equal(await page("/healthz"), "ok");
    assert.equal(await page("/run/default/web/main?cmd=x").then((body) => body.slice(0, 3)), "405");
    assert.equal((await json("/pods")).kind, "PodList");
    const running = (await json("/runningpods/")) as { items: Pod[] };
    assert.ok(running.items.some(({ metadata }) => metadata.name === "web"));
    const summary = (await json("/stats/summary")) as { node: { cpu: { usageCoreNanoSeconds: number } } };
    assert.ok(summary.node.cpu.usageCoreNanoSeconds > 0);
    assert.match(await page("/metrics/resource"), /^node_memory_working_set_bytes \d+$/m);
    assert.match(await page("/metrics"), /^kubelet_running_pods \d$/m);
    assert.match(await page("/logs/"), /<a href="logs\/">logs\/<\/a>/);
  });

  test("attach: a container's terminal and its input outlive clients and the agent", async () => {
    const once = { restartPolicy: "Never" } as const;
    world.send(created("shell", { command: ["sh"], stdin: true, tty: true }, once));
    world.send(created("copier", { command: ["cat"], stdin: true }, once));
    world.send(
      created("last", { command: ["sh", "-c", "cat; echo over"], stdin: true, stdinOnce: true }, once),
    );
    const names = ["web", "shell", "copier", "last"];
    const allRun = () => names.every(isRunning);
    await world.until("the pods run", allRun);
    const ids = names.map((name) => main(name)?.containerID);
    const talk = async (name: string, wants: CommandWants, say: string, want: RegExp) => {
      const client = await kubelet.command(`/attach/default/${name}/main?${queryOf(wants)}`, wants);
      let seen = "";
      client.stdout?.on("data", (data: Buffer) => {
        seen += data;
      });
      client.resize?.write('{"Width":111,"Height":22}\n');
      client.stdin?.write(say);
      await world.until(`${name} says ${want}`, () => want.test(seen));
      return client;
    };
    const sized = "until stty size | grep '22 111'; do :; done; X=4; tty\n";
    const first = await talk("shell", TTY, sized, /22 111\r\n\/dev\/pts\/0\r\n/);
    const second = await talk("copier", ALL, "before\n", /before\n/);
    for (const { connection } of [first, second]) connection.destroy();
    const seed = names
      .flatMap((name) => world.pod(name) ?? [])
      .map((object): Command => ({ do: "create", kind: "pods", object }));
    await world.kill();
    await world.start(seed);
    await world.until("the pods run", allRun);
    assert.deepEqual(
      names.map((name) => main(name)?.containerID),
      ids,
    );
    await talk("copier", ALL, "after\n", /^after\n$/);
    const shell = await talk("shell", TTY, "echo still $((X+1)); exit 3\n", /still 5\r\n/);
    assert.equal(JSON.parse(await text(shell.error)).status, "Success");
    const last = await talk("last", ALL, "heard\n", /heard\n/);
    assert.ok(isRunning("last"));
    last.connection.destroy();
    await world.until("the input has ended with the client", () => main("last")?.state?.terminated);
    const logs = async (name: string) =>
      (await kubelet.ask("GET", `/containerLogs/default/${name}/main`)).body;
    assert.match(await logs("shell"), /still 5\n/);
    assert.equal(await logs("copier"), "before\nafter\n");
    assert.equal(await logs("last"), "heard\nover\n");
  });
});

async function read(stream: Readable | undefined): Promise<string> {
  return stream ? await text(stream) : "";
}
