import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Container, Node, Pod, PodSpec } from "#kube/generated/types";
import { type AdmissionContext, refusalOf } from "./admit.ts";
import { forbiddenSysctl, isNamespaced } from "./sysctls.ts";

const node: Node = {
  metadata: { name: "n1", labels: { disk: "ssd" } },
  spec: { taints: [{ key: "gone", effect: "NoExecute" }] },
  status: { allocatable: { "example.com/gpu": "1" } },
};
const tolerant = { tolerations: [{ key: "gone", operator: "Exists" }] };

function podOf(spec: Partial<PodSpec> = {}, container: Partial<Container> = {}): Pod {
  return {
    metadata: { name: "p" },
    spec: { ...tolerant, containers: [{ name: "c", ...container }], ...spec },
  };
}

function asking(requests: Record<string, string>): Pod {
  return podOf({}, { resources: { requests } });
}

function why(pod: Pod, change: Partial<AdmissionContext> = {}): string {
  const refusal = refusalOf(pod, {
    nodeName: "n1",
    node,
    allocatable: { cpu: "1", memory: "1Gi", pods: "3", "ephemeral-storage": "10Gi" },
    others: [],
    allowedSysctls: [],
    hasAppArmor: false,
    pressures: [],
    ...change,
  });
  return refusal ? `${refusal.reason}: ${refusal.message}` : "";
}

describe("a pod is refused", () => {
  const cases: readonly [name: string, Pod, want: string, Partial<AdmissionContext>?][] = [
    ["not at all", podOf(), ""],
    [
      "while the disk is short",
      asking({ cpu: "1m" }),
      "Evicted: The node had condition: [DiskPressure]. ",
      { pressures: ["DiskPressure"] },
    ],
    [
      "while memory is short, if it asked for none",
      podOf(),
      "Evicted: The node had condition: [MemoryPressure]. ",
      { pressures: ["MemoryPressure"] },
    ],
    [
      "not while memory is short, if it asked for some",
      asking({ cpu: "1m" }),
      "",
      { pressures: ["MemoryPressure"] },
    ],
    [
      "not while memory is short, if it says that it can live with that",
      podOf({
        tolerations: [
          { key: "gone", operator: "Exists" },
          { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
        ],
      }),
      "",
      { pressures: ["MemoryPressure"] },
    ],
    [
      "not for what the node is short of, if it is critical",
      podOf({ priority: 2_000_000_000 }),
      "",
      { pressures: ["DiskPressure", "PIDPressure"] },
    ],
    [
      "for want of processors",
      asking({ cpu: "600m" }),
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 600, used: 500, capacity: 1000",
      { others: [asking({ cpu: "500m" })] },
    ],
    [
      "for want of memory",
      asking({ memory: "2Gi" }),
      "OutOfmemory: Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ],
    [
      "as one too many",
      podOf(),
      "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
      { others: [podOf(), podOf(), podOf()] },
    ],
    [
      "for want of disk",
      asking({ "ephemeral-storage": "11Gi" }),
      "OutOfephemeral-storage: Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240",
    ],
    [
      "for want of what the node advertises",
      asking({ "example.com/gpu": "2" }),
      "OutOfexample.com/gpu: Node didn't have enough resource: example.com/gpu, requested: 2, used: 0, capacity: 1",
    ],
    ["not for want of what nobody advertises", asking({ "example.com/other": "2" }), ""],
    [
      "by its selector",
      podOf({ nodeSelector: { disk: "hdd" } }),
      "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      "by its node's name",
      podOf({ nodeName: "n2" }),
      "NodeName: Predicate NodeName failed: node(s) didn't match the requested node name",
    ],
    [
      "for a port that is taken",
      podOf({}, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
      "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
      { others: [podOf({}, { ports: [{ containerPort: 81, hostPort: 8080 }] })] },
    ],
    [
      "for a taint",
      podOf({ tolerations: [] }),
      "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    ],
    [
      "for its operating system",
      podOf({ os: { name: "windows" } }),
      "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      "for a profile nobody enforces",
      podOf({ securityContext: { appArmorProfile: { type: "RuntimeDefault" } } }),
      "AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host",
    ],
    [
      "not for a profile that asks for none",
      podOf({ securityContext: { appArmorProfile: { type: "Unconfined" } } }),
      "",
    ],
    [
      "for a sysctl",
      podOf({ securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }),
      'SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted',
    ],
    [
      "for strict groups",
      podOf({ securityContext: { supplementalGroupsPolicy: "Strict" } }),
      "SupplementalGroupsPolicyNotSupported: SupplementalGroupsPolicy=Strict is not supported in this node",
    ],
  ];
  for (const [name, pod, want, change] of cases) test(name, () => assert.equal(why(pod, change), want));
});

describe("sysctls", () => {
  const cases: readonly [
    name: string,
    spec: Partial<PodSpec>,
    allowed: string[],
    want: string | undefined,
  ][] = [
    ["kernel.shm_rmid_forced", {}, [], undefined],
    ["net/ipv4/tcp_syncookies", {}, [], undefined],
    ["net.core.somaxconn", {}, [], 'forbidden sysctl: "net.core.somaxconn" not allowlisted'],
    ["net.core.somaxconn", {}, ["net.core.*"], undefined],
    ["kernel.msgmax", {}, ["kernel.msg*"], undefined],
    [
      "kernel.shm_rmid_forced",
      { hostIPC: true },
      [],
      'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
    ],
    [
      "net.ipv4.tcp_syncookies",
      { hostNetwork: true },
      [],
      'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
    ],
  ];
  for (const [name, spec, allowed, want] of cases)
    test(`${name} ${JSON.stringify(spec)} ${allowed.join()}`, () =>
      assert.equal(
        forbiddenSysctl(podOf({ ...spec, securityContext: { sysctls: [{ name, value: "1" }] } }), allowed),
        want,
      ));
  test("only those of a namespace can be allowed", () =>
    assert.deepEqual([isNamespaced("net.core.*"), isNamespaced("vm.swappiness")], [true, false]));
});
