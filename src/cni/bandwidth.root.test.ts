import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { PluginRig } from "./testing/plugin-rig.ts";

const RATE = 16_000_000;
const BURST = 800_000;
const BYTES = 1_500_000;
/** At this rate, less what may go at once; it may take longer on a busy machine, and never less. */
const LEAST_MS = (1000 * (BYTES - BURST / 8)) / (RATE / 8);

const SINK = `require("net").createServer(s=>{let n=0;s.on("data",b=>n+=b.length);s.on("end",()=>s.end(String(n)))}).listen(9,"0.0.0.0",()=>console.log("up"))`;
const SOURCE = (ip: string) =>
  `const t=process.hrtime.bigint(),s=require("net").connect(9,"${ip}",()=>s.end(Buffer.alloc(${BYTES})));let n="";s.on("data",b=>n+=b);s.on("end",()=>console.log(n+" "+Number(process.hrtime.bigint()-t)/1e6))`;

let rig: PluginRig;
before(async () => {
  rig = new PluginRig("pace");
  await rig.startAgent();
});
after(() => rig[Symbol.asyncDispose]());

async function addPod(id: string, bandwidth: object): Promise<string> {
  rig.netns(id);
  const added = await rig.call("ADD", {
    id,
    netns: rig.pathOf(id),
    config: { runtimeConfig: { bandwidth } },
  });
  assert.equal(added.code, 0, added.stdout);
  const { ips } = JSON.parse(added.stdout) as { ips: { address: string }[] };
  return ips[0]?.address.split("/")[0] ?? "";
}

function runIn(id: string, script: string) {
  using ns = rig.kernel.openNetns(rig.pathOf(id));
  return rig.kernel.inNetns(ns, () => ({
    child: spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] }),
  })).child;
}

async function sendMs(from: string, ip: string): Promise<number> {
  const source = runIn(from, SOURCE(ip));
  const [text] = (await once(source.stdout, "data")) as [Buffer];
  const [bytes, ms] = text.toString().split(" ").map(Number);
  assert.equal(bytes, BYTES);
  return ms ?? 0;
}

test("a pod receives and sends no faster than it may, and a free one faster", {
  timeout: 60_000,
}, async (t) => {
  const free = await addPod("free", {});
  const slowIn = await addPod("in", { ingressRate: RATE, ingressBurst: BURST });
  await addPod("out", { egressRate: RATE, egressBurst: BURST });
  const sinks = ["free", "in"].map((id) => runIn(id, SINK));
  t.after(() => sinks.forEach((sink) => void sink.kill("SIGKILL")));
  await Promise.all(sinks.map((sink) => once(sink.stdout, "data")));
  const received = await sendMs("free", slowIn);
  assert.ok(received >= LEAST_MS, `received in ${received} ms, least ${LEAST_MS}`);
  const sent = await sendMs("out", free);
  assert.ok(sent >= LEAST_MS, `sent in ${sent} ms, least ${LEAST_MS}`);
  for (const id of ["free", "in", "out"]) assert.equal((await rig.call("DEL", { id })).code, 0);
  assert.deepEqual(rig.leftovers(), []);
});
