import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readServerConfig } from "./read-config.ts";

const directory = mkdtempSync(join(tmpdir(), "kubelet-args-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const config = join(directory, "config.yaml");
writeFileSync(config, "");

function read(...args: string[]) {
  return readServerConfig(
    ["--node-name=n1", `--config=${config}`, ...args.map((arg) => `--kubelet-arg=${arg}`)],
    {},
  );
}

test("a kubelet's arguments that mean something are taken", () => {
  const reading = read(
    "max-pods=200",
    "pod-max-pids=-1",
    "node-labels=a=b,c=d",
    "register-with-taints=k=v:NoSchedule",
    "cluster-dns=10.43.0.11",
    "resolv-conf=/etc/other",
    "cgroup-root=/pods/",
    "pod-manifest-path=/etc/pods",
    "kube-reserved=cpu=100m,memory=100Mi",
    "eviction-hard=memory.available<100Mi,imagefs.available<10%",
    "allowed-unsafe-sysctls=net.core.somaxconn,kernel.msg*",
    "node-status-update-frequency=1m30s",
    "container-log-max-size=1Mi",
    "cgroup-driver=cgroupfs",
    "image-gc-high-threshold=70",
    "image-gc-low-threshold=60",
    "minimum-image-ttl-duration=1m",
    "serialize-image-pulls=true",
    "registry-qps=2",
    "registry-burst=3",
  );
  assert.equal(reading.kind, "good");
  const { node } = reading.config;
  const { kubelet } = node;
  assert.deepEqual(
    [node.labels, node.taints, node.resolvConf, node.cgroupRoot],
    [{ a: "b", c: "d" }, [{ key: "k", value: "v", effect: "NoSchedule" }], "/etc/other", "/pods"],
  );
  assert.deepEqual(
    [kubelet.maxPods, kubelet.podPids, kubelet.nodeStatusMs, kubelet.logs.maxBytes, kubelet.clusterDns],
    [200, undefined, 90_000, 1_048_576, ["10.43.0.11"]],
  );
  assert.equal(kubelet.podManifestPath, "/etc/pods");
  assert.deepEqual(kubelet.reservations, {
    kube: { cpu: "100m", memory: "100Mi" },
    evictionHard: { memory: "100Mi" },
  });
  assert.deepEqual(
    kubelet.eviction.thresholds.map(({ signal, value, minReclaim }) => [signal, value, minReclaim]),
    [
      ["memory.available", "100Mi", undefined],
      ["imagefs.available", "10%", "10%"],
      ["allocatableMemory.available", "100Mi", undefined],
    ],
  );
  assert.deepEqual(kubelet.images, {
    collection: { high: 70, low: 60, minAgeMs: 60_000, maxAgeMs: 0, everyMs: 300_000 },
    pullLimits: { atOnce: 1, perSecond: 2, burst: 3 },
  });
  assert.deepEqual(kubelet.allowedSysctls, ["net.core.somaxconn", "kernel.msg*"]);
  assert.deepEqual(reading.warnings, []);
});

test("those without effect are warned of", () => {
  const reading = read("v=4");
  assert.equal(reading.kind, "good");
  assert.match(reading.warnings.join(), /--kubelet-arg=v: has no effect/);
});

describe("what cannot be", () => {
  const cases: readonly [arg: string, problem: RegExp][] = [
    ["max-pods=0", /max-pods.*whole number/],
    ["cgroup-driver=systemd", /cgroup-driver.*cgroupfs/],
    ["cpu-manager-policy=static", /cpu-manager-policy.*none/],
    ["allowed-unsafe-sysctls=vm.swappiness", /not known to be namespaced/],
    ["eviction-hard=memory<1", /unsupported eviction signal memory/],
    ["eviction-hard=memory.available>1", /memory\.available<100Mi/],
    ["eviction-soft=memory.available<1Gi", /grace period must be specified/],
    ["root-dir=/x", /use --data-dir/],
    ["image-gc-high-threshold=101", /above 100 percent/],
    ["image-gc-low-threshold=90", /not below the image-gc-high-threshold of 85/],
    ["registry-qps=many", /not a whole number/],
    ["max-podz=3", /did you mean max-pods/],
    ["cgroup-root=/../x", /is not a cgroup/],
  ];
  for (const [arg, problem] of cases)
    test(arg, () => {
      const reading = read(arg);
      assert.equal(reading.kind, "bad");
      assert.match(reading.problems.join("\n"), problem);
    });
});
