import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Container, Pod, PodSpec } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import { cgroupFiles } from "./cgroup-files.ts";
import { Hierarchy } from "./hierarchy.ts";
import { type CgroupLimits, containerResources, podLimits } from "./limits.ts";
import { parseCgroupMounts } from "./mounts.ts";
import { cpuQuotaMicros, cpuShares, cpuWeight } from "./numbers.ts";
import { oomScoreAdj } from "./oom-score.ts";

const GIB = 2 ** 30;

/** `100m/200m 64Mi/128Mi`: requests and limits of processors, then of memory; `-` is none. */
function container(name: string, text: string, change: Partial<Container> = {}): Container {
  const [cpu = "-/-", memory = "-/-"] = text.split(" ");
  const of = (i: 0 | 1) =>
    Object.fromEntries(
      [
        ["cpu", cpu.split("/")[i]],
        ["memory", memory.split("/")[i]],
      ].filter(([, amount]) => amount !== "-" && amount !== undefined),
    );
  return { name, resources: { requests: of(0), limits: of(1) }, ...change };
}

function podOf(containers: readonly Container[], change: Partial<PodSpec> = {}): Pod {
  return { metadata: { name: "p" }, spec: { containers, ...change } };
}

describe("shares, quotas and weights", () => {
  const cases: readonly [milli: number, shares: number, quota: number | undefined, weight: number][] = [
    [0, 2, undefined, 1],
    [1, 2, 1000, 1],
    [100, 102, 10_000, 4],
    [500, 512, 50_000, 20],
    [1000, 1024, 100_000, 39],
    [2000, 2048, 200_000, 79],
    [1_000_000, 262_144, 100_000_000, 10_000],
  ];
  for (const [milli, shares, quota, weight] of cases)
    test(`${milli}m`, () =>
      assert.deepEqual(
        [cpuShares(milli), cpuQuotaMicros(milli), cpuWeight(shares)],
        [shares, quota, weight],
      ));
});

describe("what all containers of a pod may use together", () => {
  const a = (text: string) => container("a", text);
  const cases: readonly [name: string, Pod, CgroupLimits][] = [
    ["best effort", podOf([a("")]), { cpuShares: 2 }],
    ["guaranteed", podOf([a("1/1 1Gi/1Gi")]), { cpuShares: 1024, cpuQuotaMicros: 100_000, memoryBytes: GIB }],
    [
      "only some are limited",
      podOf([a("100m/1 1Gi/2Gi"), container("b", "100m/- -/1Gi")]),
      { cpuShares: 204, cpuQuotaMicros: "max", memoryBytes: 3 * GIB },
    ],
    [
      "overhead counts",
      podOf([a("1/1 1Gi/1Gi")], { overhead: { cpu: "250m", memory: "1Gi" } }),
      { cpuShares: 1280, cpuQuotaMicros: 125_000, memoryBytes: 2 * GIB },
    ],
    [
      "the pod's own limits",
      podOf([a("")], { resources: { requests: { cpu: "1" }, limits: { cpu: "2" } } }),
      { cpuShares: 1024, cpuQuotaMicros: 200_000, memoryBytes: "max" },
    ],
  ];
  for (const [name, pod, want] of cases)
    test(name, () => assert.deepEqual(podLimits(pod, { pids: undefined }), want));
  test("processes", () => assert.equal(podLimits(podOf([a("")]), { pids: 100 }).pids, 100));
});

test("a container's limits, where its request is not said", () => {
  const pod = podOf([container("a", "-/500m -/64Mi")]);
  const [only] = pod.spec?.containers ?? [];
  assert.ok(only);
  assert.deepEqual(containerResources(only, pod, { memoryBytes: GIB }), {
    cpuShares: 512,
    cpuPeriodMicros: 100_000,
    cpuQuotaMicros: 50_000,
    memoryBytes: 64 * 2 ** 20,
    oomScoreAdj: -997,
  });
});

describe("how readily the kernel kills", () => {
  const half = container("a", "1/2 512Mi/1Gi");
  const cases: readonly [string, Pod, number][] = [
    ["best effort", podOf([container("a", "")]), 1000],
    ["guaranteed", podOf([container("a", "1/1 1Gi/1Gi")]), -997],
    ["half of the memory", podOf([half]), 500],
    ["all of the memory", podOf([container("a", "1/2 1Gi/2Gi")]), 3],
    ["next to none", podOf([container("a", "1/2 1Ki/2Gi")]), 999],
    ["critical for the node", podOf([half], { priority: 2_000_001_000 }), -997],
    ["critical for the cluster", podOf([half], { priority: 2_000_000_000 }), 500],
  ];
  for (const [name, pod, want] of cases)
    test(name, () => {
      const [first] = pod.spec?.containers ?? [];
      assert.ok(first);
      assert.equal(oomScoreAdj(first, pod, GIB), want);
    });
  test("a sidecar outlives the containers it serves", () => {
    const sidecar = container("s", "1/2 1Mi/1Gi", { restartPolicy: "Always" });
    const pod = podOf([half], { initContainers: [sidecar] });
    assert.equal(oomScoreAdj(sidecar, pod, GIB), 500);
  });
});

describe("what is written where", () => {
  const limits: CgroupLimits = {
    cpuShares: 512,
    cpuQuotaMicros: "max",
    memoryBytes: 4096,
    pids: 100,
  };
  const written = (version: 1 | 2, of: CgroupLimits) =>
    cgroupFiles(version, of).map(({ file, value }) => `${file}=${value}`);
  test("version 1", () =>
    assert.deepEqual(written(1, limits), [
      "cpu.shares=512",
      "cpu.cfs_period_us=100000",
      "cpu.cfs_quota_us=-1",
      "memory.limit_in_bytes=4096",
      "pids.max=100",
    ]));
  test("version 2", () =>
    assert.deepEqual(written(2, limits), [
      "cpu.weight=20",
      "cpu.max=max 100000",
      "memory.max=4096",
      "pids.max=100",
    ]));
  test("nothing of what is not said", () => assert.deepEqual(written(1, {}), []));
});

describe("where cgroups are", () => {
  const line = (path: string, type: string, options: string) =>
    `30 25 0:26 / ${path} rw - ${type} ${type} rw,${options}`;
  const hybrid = [
    line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"),
    line("/sys/fs/cgroup/memory", "cgroup", "memory"),
    line("/sys/fs/cgroup/systemd", "cgroup", "name=systemd"),
    line("/sys/fs/cgroup/unified", "cgroup2", "nsdelegate"),
  ].join("\n");
  test("both versions: the first has the controllers", () => {
    const found = parseCgroupMounts(hybrid);
    assert.ok(found?.version === 1);
    assert.equal(found.controllers.get("cpu"), "/sys/fs/cgroup/cpu,cpuacct");
    assert.equal(found.all.length, 4);
  });
  test("the second alone", () =>
    assert.deepEqual(parseCgroupMounts(line("/sys/fs/cgroup", "cgroup2", "nsdelegate")), {
      version: 2,
      root: "/sys/fs/cgroup",
    }));
  test("none", () => assert.equal(parseCgroupMounts(line("/", "ext4", "rw")), undefined));
});

test("version 2 hands its controllers down, and only those it has", () => {
  const root = mkdtempSync(join(tmpdir(), "twt-cgroup2-"));
  after(() => rmSync(root, { recursive: true }));
  const folder = (path: string) => {
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, "cgroup.controllers"), "cpu memory io\n");
    writeFileSync(join(root, path, "cgroup.subtree_control"), "");
    for (const file of ["cpu.weight", "cpu.max", "memory.max"]) writeFileSync(join(root, path, file), "");
  };
  folder("");
  folder("kubepods");
  new Hierarchy({ version: 2, root }, systemClock).make("/kubepods/podx", { memoryBytes: 4096 });
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  assert.equal(read("kubepods/cgroup.subtree_control"), "+cpu +memory");
  assert.ok(existsSync(join(root, "kubepods/podx")));
});
