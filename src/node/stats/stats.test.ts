import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#kube/generated/types";
import type { Run, Runtime, Usage } from "../runtime/runtime.ts";
import { parseBusyTicks, parseLinks, parseMemory } from "./machine.ts";
import { resourceMetrics } from "./metrics-text.ts";
import { Sampler } from "./sampler.ts";
import { statsSummary } from "./summary.ts";

test("what the machine's processors did", () => {
  assert.equal(parseBusyTicks("cpu  10 1 5 1000 50 2 3 4 7 7\ncpu0 1 1 1 1\n"), 25);
  assert.equal(parseBusyTicks("rubbish"), 0);
});

test("what the machine's memory holds", () => {
  const meminfo = "MemTotal:  1000 kB\nMemFree:  400 kB\nInactive(file):  100 kB\nAnonPages:  200 kB\n";
  assert.deepEqual(parseMemory(meminfo), {
    totalBytes: 1_024_000,
    usageBytes: 614_400,
    workingSetBytes: 512_000,
    availableBytes: 512_000,
    rssBytes: 204_800,
  });
});

test("what the machine's links carried", () => {
  const dev =
    "Inter-|   Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12\n  eth0: 100 2 3 0 0 0 0 0 200 5 6 0 0 0 0 0\n";
  assert.deepEqual(parseLinks(dev), [{ name: "eth0", rxBytes: 100, rxErrors: 3, txBytes: 200, txErrors: 6 }]);
});

const pod: Pod = { metadata: { name: "web", namespace: "default", uid: "u1" }, spec: { containers: [] } };
const started = "2026-01-02T03:00:00.000Z";
const run = {
  id: "c1",
  podUid: "u1",
  name: "main",
  image: "img",
  startedAt: started,
  exit: undefined,
} as Run;

/** As much of a runtime as is asked for usage. */
function sampling(usage: { now: Usage | undefined }): Sampler {
  const runtime = {
    runs: () => [run],
    usage: async () => new Map(usage.now ? [["c1", usage.now]] : []),
  } as Partial<Runtime> as Runtime;
  const now = () => Date.parse(usage.now?.at ?? started);
  return new Sampler({ runtime, pods: () => [pod], dataDir: "/", now });
}

const at = (seconds: number, cpuSeconds: number): Usage => ({
  at: new Date(Date.parse(started) + seconds * 1000).toISOString(),
  cpuNanoseconds: cpuSeconds * 1e9,
  workingSetBytes: 4096,
});

test("a container's rate is between two samples that are far enough apart", async () => {
  const usage = { now: at(0, 0) };
  const sampler = sampling(usage);
  const rate = async () => (await sampler.take()).pods[0]?.containers[0]?.nanoCores;
  assert.equal(await rate(), undefined);
  usage.now = at(10, 5);
  assert.equal(await rate(), 500_000_000);
  usage.now = at(11, 6);
  assert.equal(await rate(), 500_000_000);
  usage.now = at(20, 6);
  assert.equal(await rate(), 100_000_000);
});

test("a container that nobody counts is not told of", async () => {
  const sample = await sampling({ now: undefined }).take();
  const summary = statsSummary(sample, { nodeName: "n", onlyCpuAndMemory: true }) as { pods: unknown[] };
  assert.deepEqual(summary.pods, []);
});

test("the summary and the metrics name the container", async () => {
  const sample = await sampling({ now: at(1, 2) }).take();
  const summary = statsSummary(sample, { nodeName: "n", onlyCpuAndMemory: true }) as {
    node: object;
    pods: { podRef: object; containers: object[]; memory: object }[];
  };
  assert.deepEqual(Object.keys(summary.node), ["nodeName", "startTime", "cpu", "memory"]);
  assert.deepEqual(summary.pods[0]?.podRef, { name: "web", namespace: "default", uid: "u1" });
  assert.deepEqual(summary.pods[0]?.containers, [
    {
      name: "main",
      startTime: started,
      cpu: { time: at(1, 2).at, usageCoreNanoSeconds: 2e9 },
      memory: { time: at(1, 2).at, workingSetBytes: 4096 },
    },
  ]);
  const text = resourceMetrics(sample);
  assert.match(
    text,
    /^container_cpu_usage_seconds_total{container="main",namespace="default",pod="web"} 2$/m,
  );
  assert.match(text, /^pod_memory_working_set_bytes{namespace="default",pod="web"} 4096$/m);
});
