import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { parseIp } from "#addr/ip";
import { systemClock } from "#life/clock";
import { LiveValue } from "#life/live";
import { silentLog } from "#telemetry/log";
import { TestAuthority } from "../testing/certificates.ts";
import { type KubeletServerOptions, openKubeletServer } from "./kubelet-server.ts";

const authority = new TestAuthority();
const admin = authority.issue("admin", "/O=system:masters/CN=admin");
const stop = new AbortController();
after(() => {
  stop.abort();
  authority[Symbol.dispose]();
});

/** What the server shows there, or why nobody could ask. */
async function meet(host: string, port: number): Promise<string> {
  const socket = connect({ host, port, ca: authority.cert, ...admin, checkServerIdentity: () => undefined });
  try {
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "?";
  } finally {
    socket.destroy();
  }
}

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await check())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("the kubelet server follows its address and its certificate", async () => {
  const identity = (name: string) => ({ ...authority.issue(name, `/CN=${name}`), clientCa: authority.cert });
  const port = 20_000 + (process.pid % 20_000);
  const [first, second] = [parseIp("127.0.0.1"), parseIp("127.0.0.2")];
  const listen = new LiveValue({ ip: first, port });
  const tls = new LiveValue(identity("before"));
  const unasked = () => assert.fail("nobody asks");
  const options = {
    findPod: unasked,
    runtime: {},
    nodeName: "n",
    pods: unasked,
    sampler: {},
    settings: unasked,
    probeMetrics: unasked,
    otherMetrics: unasked,
  };
  await openKubeletServer({
    ...options,
    listen,
    tls,
    nodeLogsDir: undefined,
    clock: systemClock,
    log: silentLog,
    signal: stop.signal,
  } as unknown as KubeletServerOptions);
  assert.equal(await meet(first, port), "before");
  tls.set(identity("after"));
  assert.equal(await meet(first, port), "after");
  listen.set({ ip: second, port });
  await eventually("it answers at the new address", async () => (await meet(second, port)) === "after");
  assert.equal(await meet(first, port), "ECONNREFUSED");
  listen.set({ ip: parseIp("203.0.113.1"), port });
  listen.set({ ip: first, port });
  await eventually(
    "an address that was never there is passed over",
    async () => (await meet(first, port)) === "after",
  );
});
