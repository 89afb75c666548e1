import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { openLog, silentLog } from "#telemetry/log";
import { askStatus } from "./ask.ts";
import { buildStatus } from "./build.ts";
import type { FabricStatus } from "./model.ts";
import { serveStatus } from "./serve.ts";

const STATUS: FabricStatus = buildStatus({
  nowMs: 0,
  node: "a",
  backend: "vxlan",
  isGuarded: true,
  waitingFor: ["no podCIDR yet"],
  findings: [],
  rounds: { total: 0, failed: 0, repairs: 0, lastSeconds: null, lastFaults: [] },
});
const never = new AbortController().signal;

/** A path that is longer than a socket's address may be. */
function place(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), `twill-status-${"long-".repeat(20)}`));
  t.after(() => rmSync(dir, { recursive: true }));
  return join(dir, "run", "fabric.sock");
}

async function serving(t: TestContext, status = () => STATUS): Promise<string> {
  const socketPath = join(mkdtempSync(join(tmpdir(), "twill-status-")), "run", "fabric.sock");
  t.after(() => rmSync(join(socketPath, "../.."), { recursive: true }));
  const stop = new AbortController();
  const served = serveStatus({ socketPath, status, log: silentLog, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await served;
    assert.equal(existsSync(socketPath), false, "it goes at the end");
  });
  while (!existsSync(socketPath) || (statSync(socketPath).mode & 0o777) !== 0o600) await turn();
  return socketPath;
}

test("whoever asks is told, also many at once, and nobody else may ask", async (t) => {
  let asked = 0;
  const socketPath = await serving(t, () => ({ ...STATUS, node: `a${asked++}` }));
  assert.equal((await askStatus(socketPath, { signal: never })).node, "a0");
  const answers = await Promise.all([1, 2, 3, 4].map(() => askStatus(socketPath, { signal: never })));
  assert.deepEqual(answers.map(({ node }) => node).toSorted(), ["a1", "a2", "a3", "a4"]);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
});

test("a status of thousands of peers comes whole", async (t) => {
  const silent = Array.from({ length: 20_000 }, (_, i) => ({
    node: `node-${i}`,
    problems: ["it says nothing"],
  }));
  const socketPath = await serving(t, () => ({ ...STATUS, silent }));
  assert.equal((await askStatus(socketPath, { signal: never })).silent.length, 20_000);
});

test("who hangs up, or talks without end, disturbs nobody", async (t) => {
  const socketPath = await serving(t);
  const rude = connect(socketPath);
  rude.on("error", () => {});
  rude.write("x".repeat(1 << 20));
  rude.destroy();
  assert.equal((await askStatus(socketPath, { signal: never })).node, "a");
});

test("where nobody answers, that is said", async (t) => {
  const socketPath = place(t);
  await assert.rejects(askStatus(socketPath, { signal: never }), { code: "NoAgent" });
  const dead = join(socketPath, "../../dead.sock");
  writeFileSync(dead, "");
  await assert.rejects(askStatus(dead, { signal: never }), { code: "NoAgent" });
});

for (const [what, said] of Object.entries({
  nothing: "",
  "half of it": JSON.stringify(STATUS).slice(0, 40),
  "another version's": JSON.stringify({ node: "a", peers: {} }),
}))
  test(`what is no status is refused: ${what}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "twill-status-"));
    const socketPath = join(dir, "fabric.sock");
    const server = createServer((socket) => socket.end(said));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    t.after(() => {
      server.close();
      rmSync(dir, { recursive: true });
    });
    await assert.rejects(askStatus(socketPath, { signal: never }), { code: "BadStatus" });
  });

test("where the socket cannot be made the fabric does without, and says so", async () => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  await serveStatus({ socketPath: "/dev/null/fabric.sock", status: () => STATUS, log, signal: never });
  assert.match(lines.join(""), /WARN {2}the fabric's status cannot be asked for socket=\/dev\/null/);
});
