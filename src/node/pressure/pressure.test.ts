import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Container, Pod, PodSpec } from "#kube/generated/types";
import { podsToPreempt } from "../admission/preempt.ts";
import { evictionMessage } from "./message.ts";
import type { PodUsage } from "./pod-usage.ts";
import { rankForEviction } from "./rank.ts";
import type { Signal, Starved } from "./signals.ts";
import { type EvictionStatements, K3S_STATEMENTS, thresholdsOf, unitsOf } from "./thresholds.ts";
import { type Observations, PressureWatch } from "./watch.ts";

const NONE: EvictionStatements = { hard: {}, soft: {}, softGraceMs: {}, minReclaim: {} };
const MI = 1 << 20;

describe("thresholds", () => {
  const cases: readonly [string, Partial<EvictionStatements>, readonly string[] | RegExp][] = [
    ["none", {}, []],
    ["those of K3s", K3S_STATEMENTS, ["imagefs.available<5% 0", "nodefs.available<5% 0"]],
    [
      "memory counts for pods, too",
      { hard: { "memory.available": "100Mi" } },
      ["memory.available<100Mi 0", "allocatableMemory.available<100Mi 0"],
    ],
    [
      "soft ones have a grace, and are not for pods",
      { soft: { "memory.available": "1Gi" }, softGraceMs: { "memory.available": 90_000 } },
      ["memory.available<1Gi 90000"],
    ],
    ["nothing and all are none", { hard: { "nodefs.available": "0%", "pid.available": "100%" } }, []],
    ["soft without grace", { soft: { "pid.available": "5%" } }, /grace period must be specified/],
    ["unknown", { hard: { memory: "5%" } }, /unsupported eviction signal memory/],
    ["more than all", { hard: { "pid.available": "101%" } }, /must be <= 100%/],
    ["zero", { hard: { "memory.available": "0" } }, /must be positive/],
    ["no amount", { hard: { "memory.available": "much" } }, /is not such as/],
    ["less than nothing", { hard: { "memory.available": "-1Mi" } }, /is not such as/],
    ["a reclaim of something unknown", { minReclaim: { x: "1" } }, /unsupported eviction signal x/],
  ];
  for (const [name, statements, want] of cases)
    test(name, () => {
      const make = () => thresholdsOf({ ...NONE, ...statements });
      if (want instanceof RegExp) assert.throws(make, want);
      else
        assert.deepEqual(
          make().map(({ signal, value, graceMs }) => `${signal}<${value} ${graceMs}`),
          want,
        );
    });

  test("a share is reckoned with 32 bits", () => {
    assert.equal(unitsOf("5%", 1000), 50);
    assert.equal(unitsOf("10%", 4_017_516_544), 401_751_660);
    assert.equal(unitsOf("100Mi", 1), 100 * MI);
  });
});

function seen(...rows: readonly (readonly [Signal, number])[]): Observations {
  return new Map(rows.map(([signal, available]) => [signal, { available, capacity: 1000 }]));
}

describe("what the node is short of", () => {
  const watch = (statements: Partial<EvictionStatements>, transitionMs = 300_000) =>
    new PressureWatch({
      ...{ thresholds: thresholdsOf({ ...NONE, ...statements }), transitionMs, maxPodGraceSeconds: 0 },
    });
  const disk = { hard: { "nodefs.available": "5%" } };

  test("is said for as long as the transition takes", () => {
    const one = watch(disk);
    const at = (available: number, now: number) => {
      const { pressures, starved } = one.see(seen(["nodefs.available", available]), now);
      return [pressures.join(), starved.length];
    };
    assert.deepEqual(at(50, 0), ["", 0]);
    assert.deepEqual(at(49, 10_000), ["DiskPressure", 1]);
    assert.deepEqual(at(60, 20_000), ["DiskPressure", 0]);
    assert.deepEqual(at(60, 309_999), ["DiskPressure", 0]);
    assert.deepEqual(at(60, 310_000), ["", 0]);
  });
  test("goes on until what was to be gained is", () => {
    const one = watch({ ...disk, minReclaim: { "nodefs.available": "10%" } });
    const starved = (available: number, now: number) =>
      one.see(seen(["nodefs.available", available]), now).starved.length;
    assert.deepEqual([starved(100, 0), starved(49, 1), starved(149, 2), starved(150, 3)], [0, 1, 1, 0]);
    assert.deepEqual([starved(100, 4), one.isRelieved(seen(["nodefs.available", 100]))], [0, false]);
  });
  test("is acted on after the grace of a soft threshold", () => {
    const one = watch({ soft: { "pid.available": "5%" }, softGraceMs: { "pid.available": 30_000 } });
    const at = (available: number, now: number) => {
      const { pressures, starved } = one.see(seen(["pid.available", available]), now);
      return [pressures.join(), starved.length];
    };
    assert.deepEqual(at(1, 0), ["PIDPressure", 0]);
    assert.deepEqual(at(1, 29_999), ["PIDPressure", 0]);
    assert.deepEqual(at(1, 30_000), ["PIDPressure", 1]);
    assert.deepEqual(at(500, 40_000), ["PIDPressure", 0]);
    assert.deepEqual(at(1, 50_000), ["PIDPressure", 0]);
  });
  test("memory comes first, and what nobody counts is never short", () => {
    const one = watch({
      hard: { "nodefs.available": "5%", "memory.available": "5%", "imagefs.available": "5%" },
    });
    const { pressures, starved } = one.see(seen(["nodefs.available", 1], ["memory.available", 1]), 0);
    assert.deepEqual(pressures, ["MemoryPressure", "DiskPressure"]);
    assert.deepEqual(
      starved.map(({ signal }) => signal),
      ["memory.available", "nodefs.available"],
    );
  });
});

interface Candidate {
  readonly name: string;
  readonly request?: string;
  readonly priority?: number;
  /** Undefined: nothing of it runs. */
  readonly used?: number;
}

function podOf(name: string, spec: Partial<PodSpec>, container: Partial<Container> = {}): Pod {
  return { metadata: { name, uid: name }, spec: { containers: [{ name: "c", ...container }], ...spec } };
}

function usageOf(used: number): PodUsage {
  const containers = new Map([["c", { memoryBytes: used, diskBytes: used }]]);
  return { memoryBytes: used, diskBytes: used, inodes: used, processes: used, containers };
}

describe("who goes first", () => {
  const cases: readonly [string, Starved, readonly Candidate[], string][] = [
    [
      "who uses more than it asked for, whatever its priority",
      "memory",
      [
        { name: "within", request: "200Mi", priority: -5, used: 199 * MI },
        { name: "beyond", request: "100Mi", priority: 1000, used: 101 * MI },
      ],
      "beyond within",
    ],
    [
      "then who is less important",
      "memory",
      [
        { name: "important", priority: 10, used: 300 * MI },
        { name: "plain", used: MI },
      ],
      "plain important",
    ],
    [
      "then who uses the most beyond what it asked for",
      "ephemeral-storage",
      [
        { name: "a", request: "100Mi", used: 120 * MI },
        { name: "b", request: "10Mi", used: 50 * MI },
        { name: "c", used: 30 * MI },
      ],
      "b c a",
    ],
    [
      "of whom nothing is known, before all",
      "memory",
      [
        { name: "a", used: 1 << 30 },
        { name: "b", priority: 5 },
      ],
      "b a",
    ],
    [
      "of processes only priority and number count",
      "pids",
      [
        { name: "many", used: 500 },
        { name: "few", used: 3 },
        { name: "important", priority: 1, used: 9000 },
      ],
      "many few important",
    ],
    [
      "inodes are not asked for",
      "inodes",
      [
        { name: "few", used: 2, priority: 1 },
        { name: "many", used: 9, priority: 1 },
      ],
      "many few",
    ],
  ];
  for (const [name, starved, candidates, want] of cases)
    test(name, () => {
      const resource = starved === "memory" ? "memory" : "ephemeral-storage";
      const pods = candidates.map(({ name: uid, request, priority }) =>
        podOf(
          uid,
          priority === undefined ? {} : { priority },
          request === undefined ? {} : { resources: { requests: { [resource]: request } } },
        ),
      );
      const usages = new Map(
        candidates.flatMap(({ name: uid, used }) =>
          used === undefined ? [] : [[uid, usageOf(used)] as const],
        ),
      );
      const ranked = rankForEviction(pods, { starved, usages });
      assert.equal(ranked.map(({ metadata }) => metadata.name).join(" "), want);
    });
});

describe("what an evicted pod is told", () => {
  const [threshold] = thresholdsOf({ ...NONE, hard: { "memory.available": "100Mi" } });
  const [share] = thresholdsOf({ ...NONE, hard: { "nodefs.available": "5%" } });
  assert.ok(threshold && share);
  const observations: Observations = new Map([
    ["memory.available", { available: 50 * MI, capacity: 2000 * MI }],
    ["nodefs.available", { available: 4096, capacity: 102_400 }],
  ]);
  test("of memory", () =>
    assert.equal(
      evictionMessage(podOf("p", {}), usageOf(80 * MI), {
        ...{ starved: "memory", thresholds: [threshold], observations },
      }),
      "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container c was using 80Mi, request is 0, has larger consumption of memory. ",
    ));
  test("of the disk, within what it asked for", () =>
    assert.equal(
      evictionMessage(
        podOf("p", {}, { resources: { requests: { "ephemeral-storage": "1Gi" } } }),
        usageOf(80 * MI),
        { starved: "ephemeral-storage", thresholds: [share], observations },
      ),
      "The node was low on resource: ephemeral-storage. Threshold quantity: 5Ki, available: 4Ki. ",
    ));
  test("of a pod that asked as a whole", () =>
    assert.match(
      evictionMessage(podOf("p", { resources: { requests: { memory: "64Mi" } } }), usageOf(80 * MI), {
        ...{ starved: "memory", thresholds: [threshold], observations },
      }),
      /available: 50Mi\. Pod p was using 80Mi, request is 64Mi, has larger consumption of memory\. Container c/,
    ));
});

describe("who makes room for a critical pod", () => {
  const asks = (name: string, requests: Record<string, string>, spec: Partial<PodSpec> = {}) =>
    podOf(name, spec, { resources: { requests } });
  const critical = podOf("critical", { priority: 2_000_001_000 });
  const missing = (resource: string, requested: number) => [{ resource, requested, used: 0, capacity: 0 }];
  const guaranteed = (name: string, cpu: string): Pod =>
    podOf(name, {}, { resources: { requests: { cpu, memory: "1Mi" }, limits: { cpu, memory: "1Mi" } } });
  const cases: readonly [string, readonly Pod[], readonly [string, number], string | undefined][] = [
    [
      "the closest",
      [asks("a", { cpu: "1" }), asks("b", { cpu: "300m" }), asks("c", { cpu: "200m" })],
      ["cpu", 250],
      "b",
    ],
    ["several", [asks("a", { cpu: "100m" }), asks("b", { cpu: "200m" })], ["cpu", 250], "b a"],
    ["lower classes first", [guaranteed("g", "1"), asks("b", { cpu: "1" })], ["cpu", 500], "b"],
    ["nobody critical", [asks("a", { cpu: "1" }, { priority: 2_000_001_000 })], ["cpu", 500], undefined],
    ["nobody when it is not enough", [asks("a", { cpu: "100m" })], ["cpu", 500], undefined],
    ["one place", [podOf("a", {}), asks("b", { cpu: "1" })], ["pods", 1], "a"],
  ];
  for (const [name, pods, [resource, amount], want] of cases)
    test(name, () =>
      assert.equal(
        podsToPreempt(critical, pods, missing(resource, amount))
          ?.map(({ metadata }) => metadata.name)
          .join(" "),
        want,
      ),
    );
});
