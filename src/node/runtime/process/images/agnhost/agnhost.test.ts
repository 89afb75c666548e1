import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import dgram from "node:dgram";
import { get } from "node:https";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { getFresh } from "./dial.ts";
import { runAgnhost } from "./main.ts";
import { readRootFile } from "./root-files.ts";

const ENTRY = fileURLToPath(new URL("../../../../../../bin/images/agnhost.ts", import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as a process of its own. */
function agnhost(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

async function freePort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("netexec", () => {
  const stop = new AbortController();
  let port = 0;
  let udpPort = 0;
  let ended: Promise<number>;

  before(async () => {
    port = await freePort();
    udpPort = await freePort();
    ended = runAgnhost(["netexec", `--http-port=${port}`, "--udp-port", String(udpPort)], {
      signal: stop.signal,
    });
    const deadline = Date.now() + 10_000;
    for (;;) {
      const status = await getFresh(new URL(`http://127.0.0.1:${port}/healthz`), 1000).then(
        (reply) => reply.status,
        () => 0,
      );
      if (status === 200) return;
      if (Date.now() > deadline) throw new Error("netexec did not come up");
    }
  });
  after(async () => {
    stop.abort();
    assert.equal(await ended, 0);
  });

  const rows: readonly [path: string, status: number, body: RegExp][] = [
    ["/", 200, /^NOW: /],
    ["/anything", 200, /^NOW: /],
    ["/hostname", 200, new RegExp(`^${hostname()}$`)],
    ["/hostName", 200, new RegExp(`^${hostname()}$`)],
    ["/clientip", 200, /^127\.0\.0\.1:\d+$/],
    ["/echo?msg=a%20b", 200, /^a b$/],
    ["/echo?msg=x&code=418", 418, /^x$/],
    ["/echo?msg=x&code=abc", 200, /must be an integer/],
    ["/header?key=connection", 200, /^close$/],
    ["/redirect?location=/echo", 302, /^$/],
    ["/shell?cmd=echo%20out", 200, /^\{"output":"out\\n"\}$/],
    ["/shell?cmd=exit%203", 200, /^\{"error":"exit status 3"\}$/],
    ["/dial", 400, /request parameter not specified/],
    ["/dial?request=x&protocol=ipx", 400, /unsupported protocol/],
    ["/dial?request=x&host=127.0.0.1&port=none", 400, /host and\/or port/],
    ["/dial?host=127.0.0.1&port=HTTP&request=echo%3Fmsg=x&tries=2", 200, /^\{"responses":\["x","x"\]\}$/],
    ["/dial?host=::1&port=HTTP&request=echo%3Fmsg=x", 200, /^\{"responses":\["x"\]\}$/],
    ["/dial?host=127.0.0.1&port=UDP&protocol=udp&request=echo%20hi", 200, /^\{"responses":\["hi"\]\}$/],
    ["/dial?host=127.0.0.1&port=1&request=x", 200, /^\{"errors":\[".*ECONNREFUSED.*"\]\}$/],
  ];
  for (const [path, status, body] of rows) {
    test(`GET ${path}`, async () => {
      const asked = path.replace("HTTP", String(port)).replace("UDP", String(udpPort));
      const reply = await getFresh(new URL(`http://127.0.0.1:${port}${asked}`), 5000);
      assert.equal(reply.status, status);
      assert.match(reply.body, body);
    });
  }

  for (const [family, address, client] of [
    ["udp4", "127.0.0.1", /^127\.0\.0\.1:\d+$/],
    ["udp6", "::1", /^\[::1\]:\d+$/],
  ] as const) {
    test(`${family} is told its own address`, async () => {
      const socket = dgram.createSocket(family);
      const told = new Promise<string>((resolve) =>
        socket.on("message", (bytes) => resolve(bytes.toString())),
      );
      socket.send("clientip", udpPort, address);
      assert.match(await told, client);
      socket.close();
    });
  }
});

const words: readonly [args: readonly string[], code: number, stderr: RegExp][] = [
  [["connect", "127.0.0.1:1"], 1, /^REFUSED\n$/],
  [["connect", "--protocol=udp", "--timeout=5s", "127.0.0.1:1"], 1, /^REFUSED/],
  [["connect", "nowhere.invalid:80"], 1, /^DNS: /],
  [["connect", "no-port"], 1, /^UNKNOWN: /],
  [["connect", "--protocol=sctp", "127.0.0.1:1"], 1, /^Unsupported protocol/],
  [["nonsense"], 1, /unknown command "nonsense"/],
  [["netexec", "--nonsense"], 1, /unknown flag: --nonsense/],
  [["netexec", "--http-port=x"], 1, /invalid argument "x" for --http-port/],
  [["serve-hostname", "--tcp"], 1, /--http cannot be on together/],
];
for (const [args, code, stderr] of words) {
  test(`agnhost ${args.join(" ")}`, async () => {
    const ended = await agnhost(...args);
    assert.equal(ended.code, code);
    assert.match(ended.stderr, stderr);
  });
}

test("netexec that delays its end is well but not ready", async () => {
  const stop = new AbortController();
  const port = await freePort();
  const args = [`--http-port=${port}`, "--udp-port=-1", "--delay-shutdown=1"];
  const ended = runAgnhost(["netexec", ...args], { signal: stop.signal });
  const ask = async (path: string) =>
    (await getFresh(new URL(`http://127.0.0.1:${port}${path}`), 1000)).status;
  const deadline = Date.now() + 10_000;
  while ((await ask("/readyz").catch(() => 0)) !== 200) assert.ok(Date.now() < deadline);
  stop.abort();
  assert.deepEqual(await Promise.all([ask("/readyz"), ask("/healthz")]), [503, 200]);
  assert.equal(await ended, 0);
});

test("connect succeeds in silence", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  assert.deepEqual(await agnhost("connect", `127.0.0.1:${port}`), { code: 0, stdout: "", stderr: "" });
  server.close();
});

test("arguments are shown as they came", async () => {
  assert.equal(
    (await agnhost("entrypoint-tester", "a", "--b")).stdout,
    "[/agnhost entrypoint-tester a --b]\n",
  );
});

test("ask counts who answered", async () => {
  const stop = new AbortController();
  const port = await freePort();
  const server = runAgnhost(["serve-hostname", `--port=${port}`], { signal: stop.signal });
  const url = `http://localhost:${port}/`;
  const { code, stdout } = await agnhost("ask", "--url", url, "--every=1ms", "--count=3");
  stop.abort();
  await server;
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`3 ${hostname()} \\d+ ms \\| ${hostname()} x3\n$`));
  assert.equal((await agnhost("ask", "--url", url, "--count=1")).code, 1);
});

test("porter serves over TLS with the image's own certificate", async () => {
  const stop = new AbortController();
  const port = await freePort();
  process.env[`SERVE_TLS_PORT_${port}`] = '<a href="/x">over tls</a>';
  const server = runAgnhost(["porter"], { signal: stop.signal });
  const ca = readRootFile("localhost.crt");
  const body = await new Promise<string>((resolve, reject) => {
    const ask = (triesLeft: number) =>
      get({ host: "127.0.0.1", port, servername: "localhost", ca, agent: false }, (response) =>
        response
          .setEncoding("utf8")
          .once("data", (text: string) => resolve(`${response.headers["content-type"]} ${text}`)),
      ).once("error", (error) => (triesLeft === 0 ? reject(error) : setTimeout(ask, 20, triesLeft - 1)));
    ask(100);
  });
  delete process.env[`SERVE_TLS_PORT_${port}`];
  stop.abort();
  await server;
  assert.equal(body, 'text/html; charset=utf-8 <a href="/x">over tls</a>');
});

test("logs-generator writes as many lines as it is told", async () => {
  const { code, stderr } = await agnhost("logs-generator", "--log-lines-total=3", "--run-duration", "30ms");
  assert.equal(code, 0);
  assert.match(stderr, /^(?:\S+ \S+ \d+ (?:GET|POST|PUT) \/api\/v1\/namespaces\/\S+ \d{3}\n){3}$/);
});

test("help names every subcommand", async () => {
  const { stdout } = await agnhost("help");
  for (const name of ["netexec", "connect", "porter", "pause", "ask"])
    assert.match(stdout, new RegExp(`^  ${name} `, "m"));
});
