import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LabelSelector, TopologySpreadConstraint } from "#kube/generated/types";
import { clusterOf, infoOf, type NodeShape, type PodShape, place } from "../testing/objects.ts";

interface Case {
  readonly name: string;
  readonly pod: PodShape;
  readonly nodes: Readonly<Record<string, NodeShape>>;
  readonly running?: readonly (readonly [node: string, PodShape])[];
  readonly namespaces?: Readonly<Record<string, Record<string, string>>>;
  readonly answer: string;
}

const HOSTNAME = "kubernetes.io/hostname";
const web: LabelSelector = { matchLabels: { app: "web" } };
const even = (more: Partial<TopologySpreadConstraint>): PodShape => ({
  topologySpreadConstraints: [
    { topologyKey: "zone", maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", labelSelector: web, ...more },
  ],
});
const inZone = (zone: string, more: NodeShape = {}): NodeShape => ({
  ...more,
  labels: { zone, ...more.labels },
});
const requires = (kind: "podAffinity" | "podAntiAffinity", term: object): PodShape => ({
  affinity: {
    [kind]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: HOSTNAME, labelSelector: web, ...term },
      ],
    },
  },
});
const asks = (requests: Record<string, string>, more: PodShape = {}): PodShape => ({
  containers: [{ name: "c", resources: { requests } }],
  ...more,
});
const has = (allocatable: Record<string, string>): NodeShape => ({
  status: { allocatable: { cpu: "4", memory: "8Gi", pods: "110", ...allocatable } },
});
const none = (reasons: string, nodes = 1) => `0/${nodes} nodes are available: ${reasons}.`;
const uneven = "node(s) didn't match pod topology spread constraints";
const tainted: NodeShape = { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } };

const disk = (readOnly: boolean): PodShape => ({
  volumes: [
    { name: "d", iscsi: { iqn: "iqn.2026-01.com.example:d", lun: 0, targetPortal: "10.0.0.9", readOnly } },
  ],
});

const cases: readonly Case[] = [
  // resources
  { name: "memory", pod: asks({ memory: "9Gi" }), nodes: { a: {} }, answer: none("1 Insufficient memory") },
  {
    name: "every missing resource is named",
    pod: asks({ cpu: "5", memory: "9Gi", "ephemeral-storage": "1Gi" }),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu, 1 Insufficient ephemeral-storage, 1 Insufficient memory"),
  },
  {
    name: "an extended resource is counted",
    pod: asks({ "example.com/gpu": "1" }),
    nodes: { a: has({ "example.com/gpu": "1" }) },
    running: [["a", asks({ "example.com/gpu": "1" })]],
    answer: none("1 Insufficient example.com/gpu"),
  },
  {
    name: "the largest init step counts",
    pod: asks({ cpu: "1" }, { initContainers: [{ name: "i", resources: { requests: { cpu: "5" } } }] }),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu"),
  },
  {
    name: "sidecars run beside the rest",
    pod: asks(
      { cpu: "3" },
      { initContainers: [{ name: "s", restartPolicy: "Always", resources: { requests: { cpu: "2" } } }] },
    ),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu"),
  },
  {
    name: "an init step runs beside the sidecars before it",
    pod: asks(
      { cpu: "1" },
      {
        initContainers: [
          { name: "s", restartPolicy: "Always", resources: { requests: { cpu: "2" } } },
          { name: "i", resources: { requests: { cpu: "2500m" } } },
        ],
      },
    ),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu"),
  },
  {
    name: "but not beside those after it",
    pod: asks(
      { cpu: "1" },
      {
        initContainers: [
          { name: "i", resources: { requests: { cpu: "3500m" } } },
          { name: "s", restartPolicy: "Always", resources: { requests: { cpu: "2" } } },
        ],
      },
    ),
    nodes: { a: {} },
    answer: "a",
  },
  {
    name: "what the pod asks as a whole goes before",
    pod: asks({ cpu: "1" }, { resources: { requests: { cpu: "5" } } }),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu"),
  },
  {
    name: "overhead is added",
    pod: asks({ cpu: "3500m" }, { overhead: { cpu: "1" } }),
    nodes: { a: {} },
    answer: none("1 Insufficient cpu"),
  },
  {
    name: "asking for nothing fits anywhere",
    pod: asks({ cpu: "0" }),
    nodes: { a: { cpu: "0" } },
    answer: "a",
  },
  // nodes
  {
    name: "a cordoned node takes those that tolerate it",
    pod: {
      tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" }],
    },
    nodes: { a: { spec: { unschedulable: true } } },
    answer: "a",
  },
  {
    name: "a toleration has to match to the value",
    pod: { tolerations: [{ key: "k", operator: "Equal", value: "w", effect: "NoSchedule" }] },
    nodes: { a: tainted },
    answer: none("1 node(s) had untolerated taint(s)"),
  },
  {
    name: "a soft taint keeps nobody away",
    pod: {},
    nodes: { a: { spec: { taints: [{ key: "k", effect: "PreferNoSchedule" }] } } },
    answer: "a",
  },
  {
    name: "names that contradict each other",
    pod: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchFields: [
                  { key: "metadata.name", operator: "In", values: ["a"] },
                  { key: "metadata.name", operator: "In", values: ["b"] },
                ],
              },
            ],
          },
        },
      },
    },
    nodes: { a: {}, b: {} },
    answer: none("pod affinity terms conflict", 2),
  },
  {
    name: "nodes not named are left out at once",
    pod: {
      cpu: "5",
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }],
          },
        },
      },
    },
    nodes: { a: {}, b: {}, c: {} },
    answer: none("1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]", 3),
  },
  // disks
  {
    name: "a disk is written by one pod of a node",
    pod: disk(true),
    nodes: { a: {} },
    running: [["a", disk(false)]],
    answer: none("1 node(s) had no available disk"),
  },
  { name: "and read by many", pod: disk(true), nodes: { a: {} }, running: [["a", disk(true)]], answer: "a" },
  // spread
  {
    name: "a node without the label",
    pod: even({}),
    nodes: { a: {} },
    answer: none(`1 ${uneven} (missing required label)`),
  },
  {
    name: "too few domains count as an empty one",
    pod: even({ minDomains: 3 }),
    nodes: { a: inZone("1"), b: inZone("2") },
    running: [
      ["a", {}],
      ["b", {}],
    ],
    answer: none(`2 ${uneven}`, 2),
  },
  {
    name: "a tainted zone counts",
    pod: even({}),
    nodes: { a: inZone("1"), b: inZone("2", tainted) },
    running: [["a", {}]],
    answer: none(`1 ${uneven}, 1 node(s) had untolerated taint(s)`, 2),
  },
  {
    name: "unless taints are honoured",
    pod: even({ nodeTaintsPolicy: "Honor" }),
    nodes: { a: inZone("1"), b: inZone("2", tainted) },
    running: [["a", {}]],
    answer: "a",
  },
  {
    name: "a zone out of the selector's reach does not count",
    pod: { ...even({}), nodeSelector: { zone: "1" } },
    nodes: { a: inZone("1"), b: inZone("2") },
    running: [["a", {}]],
    answer: "a",
  },
  {
    name: "unless affinity is ignored",
    pod: { ...even({ nodeAffinityPolicy: "Ignore" }), nodeSelector: { zone: "1" } },
    nodes: { a: inZone("1"), b: inZone("2") },
    running: [["a", {}]],
    answer: none(`1 node(s) didn't match Pod's node affinity/selector, 1 ${uneven}`, 2),
  },
  {
    name: "only pods of the same generation count",
    pod: { ...even({ matchLabelKeys: ["rev"] }), labels: { app: "web", rev: "2" } },
    nodes: { a: inZone("1"), b: inZone("2", { cpu: "0" }) },
    running: [["a", { labels: { app: "web", rev: "1" } }]],
    answer: "a",
  },
  {
    name: "pods of other namespaces and those on their way out do not",
    pod: even({}),
    nodes: { a: inZone("1"), b: inZone("2", { cpu: "0" }) },
    running: [
      ["a", { namespace: "other" }],
      ["a", { deleted: true }],
    ],
    answer: "a",
  },
  // affinity
  {
    name: "near one of its kind",
    pod: requires("podAffinity", {}),
    nodes: { a: {}, b: {} },
    running: [["b", {}]],
    answer: "b",
  },
  {
    name: "the first of a kind goes anywhere",
    pod: requires("podAffinity", {}),
    nodes: { a: {} },
    answer: "a",
  },
  {
    name: "but not if it waits for others",
    pod: { ...requires("podAffinity", {}), labels: { app: "db" } },
    nodes: { a: {} },
    answer: none("1 node(s) didn't match pod affinity rules"),
  },
  {
    name: "nor where the topology is not known",
    pod: requires("podAffinity", { topologyKey: "zone" }),
    nodes: { a: {}, b: inZone("1") },
    answer: "b",
  },
  {
    name: "pods of other namespaces are meant only when named",
    pod: requires("podAntiAffinity", {}),
    nodes: { a: {} },
    running: [["a", { namespace: "other" }]],
    answer: "a",
  },
  {
    name: "by name",
    pod: requires("podAntiAffinity", { namespaces: ["other"] }),
    nodes: { a: {} },
    running: [["a", { namespace: "other" }]],
    answer: none("1 node(s) didn't match pod anti-affinity rules"),
  },
  {
    name: "or by label",
    pod: requires("podAntiAffinity", { namespaceSelector: { matchLabels: { team: "red" } } }),
    nodes: { a: {} },
    running: [["a", { namespace: "other" }]],
    namespaces: { other: { team: "red" } },
    answer: none("1 node(s) didn't match pod anti-affinity rules"),
  },
  {
    name: "an empty namespace selector means all",
    pod: requires("podAntiAffinity", { namespaceSelector: {} }),
    nodes: { a: {} },
    running: [["a", { namespace: "other" }]],
    answer: none("1 node(s) didn't match pod anti-affinity rules"),
  },
  {
    name: "apart only from its own generation",
    pod: { ...requires("podAntiAffinity", { matchLabelKeys: ["rev"] }), labels: { app: "web", rev: "2" } },
    nodes: { a: {} },
    running: [["a", { labels: { app: "web", rev: "1" } }]],
    answer: "a",
  },
  {
    name: "apart from everybody but its own tenant",
    pod: {
      ...requires("podAntiAffinity", { mismatchLabelKeys: ["tenant"], labelSelector: {} }),
      labels: { tenant: "red" },
    },
    nodes: { a: {}, b: {} },
    running: [
      ["a", { labels: { tenant: "blue" } }],
      ["b", { labels: { tenant: "red" } }],
    ],
    answer: "b",
  },
  {
    name: "a term without a selector means nobody",
    pod: requires("podAntiAffinity", { labelSelector: undefined }),
    nodes: { a: {} },
    running: [["a", {}]],
    answer: "a",
  },
];

describe("which nodes will not do", () => {
  for (const { name, pod, nodes, running, namespaces, answer } of cases)
    test(name, () => {
      const namespaceLabels = (namespace: string) => namespaces?.[namespace] ?? {};
      assert.equal(place(infoOf(pod), clusterOf(nodes, running, { namespaceLabels })), answer);
    });
});

test("a node counts as taken for those it is nominated to when they matter as much, and not for others", () => {
  const options = clusterOf({ a: {} });
  const nominated = infoOf({ cpu: "3", priority: 10 });
  options.nominations.set(nominated, "a");
  assert.equal(place(infoOf({ cpu: "2", priority: 10 }), options), none("1 Insufficient cpu"));
  assert.equal(place(infoOf({ cpu: "2", priority: 11 }), options), "a");
  assert.equal(place(infoOf({ cpu: "1", priority: 1 }), options), "a");
  const apart = infoOf({ ...requires("podAntiAffinity", {}), cpu: "0" });
  assert.equal(place(apart, options), none("1 node(s) didn't match pod anti-affinity rules"));
  const itself = { ...nominated, pod: { ...nominated.pod, status: { nominatedNodeName: "a" } } };
  assert.equal(place(itself, options), "a");
  options.nominations.drop(nominated.uid);
  assert.equal(place(apart, options), "a");
});
