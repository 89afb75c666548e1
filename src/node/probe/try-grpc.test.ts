import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { parseIp } from "#addr/ip";
import { getFresh } from "../runtime/process/images/agnhost/dial.ts";
import { runAgnhost } from "../runtime/process/images/agnhost/main.ts";
import { tryGrpc } from "./try-grpc.ts";

const LOOPBACK = parseIp("127.0.0.1");

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function probe(port: number, service = ""): Promise<{ isSuccess: boolean; output: string }> {
  return tryGrpc({ ip: LOOPBACK, port, service }, { signal: AbortSignal.timeout(10_000), timeoutMs: 10_000 });
}

describe("a server of gRPC's health check", () => {
  const stop = new AbortController();
  let [port, httpPort] = [0, 0];
  let ended: Promise<number>;

  before(async () => {
    [port, httpPort] = [await freePort(), await freePort()];
    const args = [`--port=${port}`, `--http-port=${httpPort}`, "--service=web"];
    ended = runAgnhost(["grpc-health-checking", ...args], { signal: stop.signal });
    const deadline = Date.now() + 10_000;
    while (!(await probe(port, "web").catch(() => undefined)))
      if (Date.now() > deadline) throw new Error("the server did not come up");
  });
  after(async () => {
    stop.abort();
    assert.equal(await ended, 0);
  });

  test("is well, and is not, and is again", async () => {
    const say = (path: string) => getFresh(new URL(`http://127.0.0.1:${httpPort}${path}`), 5000);
    assert.deepEqual(await probe(port, "web"), { isSuccess: true, output: "" });
    assert.equal((await say("/make-not-serving")).status, 200);
    const output = 'service unhealthy (responded with "NOT_SERVING")';
    assert.deepEqual(await probe(port, "web"), { isSuccess: false, output });
    assert.equal((await say("/make-serving")).status, 200);
    assert.equal((await probe(port, "web")).isSuccess, true);
  });

  test("knows no other service", async () => {
    const output = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service";
    assert.deepEqual(await probe(port, "mail"), { isSuccess: false, output });
  });
});

const UNIMPLEMENTED =
  "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no such method: 100%";
const calls: readonly [name: string, headers: Record<string, string>, output: string][] = [
  ["has no health check", { "grpc-status": "12", "grpc-message": "no such method: 100%25" }, UNIMPLEMENTED],
  [
    "speaks of a code nobody knows",
    { "grpc-status": "77", "grpc-message": "50% of it" },
    "error: health rpc probe failed: rpc error: code = Code(77) desc = 50% of it",
  ],
  ["says nothing", {}, 'service unhealthy (responded with "UNKNOWN")'],
];

for (const [name, headers, output] of calls)
  test(`a server that ${name}`, async () => {
    const server = createServer();
    server.on("stream", (stream) => stream.respond({ ":status": 200, ...headers }, { endStream: true }));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      assert.deepEqual(await probe(port), { isSuccess: false, output });
    } finally {
      server.close();
    }
  });
