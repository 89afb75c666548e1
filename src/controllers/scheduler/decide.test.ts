import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { feasibleEnough } from "./decide.ts";
import { clusterOf, infoOf, type NodeShape, type PodShape, place } from "./testing/objects.ts";

const port = (hostPort: number, hostIP?: string, protocol?: string) => ({
  containers: [
    {
      name: "c",
      ports: [
        { containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}), ...(protocol ? { protocol } : {}) },
      ],
    },
  ],
});
const apart = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } },
      ],
    },
  },
};
const evenly = {
  topologySpreadConstraints: [
    {
      topologyKey: "zone",
      maxSkew: 1,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "web" } },
    },
  ],
};
const zones = { a: { labels: { zone: "1" } }, b: { labels: { zone: "2" } } };

const cases: readonly {
  name: string;
  pod: PodShape;
  nodes: Record<string, NodeShape>;
  running?: readonly (readonly [string, PodShape])[];
  answer: string;
}[] = [
  { name: "no nodes", pod: {}, nodes: {}, answer: "no nodes available to schedule pods" },
  {
    name: "every reason is counted, sorted as text",
    pod: { cpu: "2", nodeSelector: { disk: "ssd" } },
    nodes: {
      a: { spec: { unschedulable: true } },
      b: { spec: { taints: [{ key: "x", effect: "NoSchedule" }] } },
      c: {},
      d: { cpu: "1", labels: { disk: "ssd" } },
    },
    answer:
      "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.",
  },
  {
    name: "a full node takes no more pods",
    pod: {},
    nodes: { a: { pods: "3" } },
    running: [
      ["a", {}],
      ["a", {}],
      ["a", {}],
    ],
    answer: "0/1 nodes are available: 1 Too many pods.",
  },
  {
    name: "a host port is taken on every address by 0.0.0.0",
    pod: port(80, "127.0.0.1"),
    nodes: { a: {} },
    running: [["a", port(80)]],
    answer: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  },
  {
    name: "another protocol is another port",
    pod: port(80, "", "UDP"),
    nodes: { a: {} },
    running: [["a", port(80)]],
    answer: "a",
  },
  {
    name: "another address too",
    pod: port(80, "127.0.0.1"),
    nodes: { a: {} },
    running: [["a", port(80, "10.0.0.1")]],
    answer: "a",
  },
  { name: "kept apart", pod: apart, nodes: { a: {}, b: {} }, running: [["a", {}]], answer: "b" },
  {
    name: "those already there keep others away too",
    pod: {},
    nodes: { a: {} },
    running: [["a", apart]],
    answer: "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
  },
  {
    name: "nowhere left to be apart",
    pod: apart,
    nodes: { a: {} },
    running: [["a", {}]],
    answer: "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
  },
  { name: "evenly over zones", pod: evenly, nodes: zones, running: [["a", {}]], answer: "b" },
  {
    name: "even when the other zone is full",
    pod: evenly,
    nodes: { ...zones, b: { ...zones.b, cpu: "0" } },
    running: [["a", {}]],
    answer:
      "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints.",
  },
  {
    name: "a group spreads by itself",
    pod: {},
    nodes: { a: {}, b: {}, c: {} },
    running: [
      ["a", {}],
      ["b", {}],
    ],
    answer: "c",
  },
  {
    name: "others go where there is most room",
    pod: { labels: { app: "other" } },
    nodes: { a: { cpu: "1" }, b: { cpu: "16" } },
    answer: "b",
  },
  {
    name: "a daemon's pod goes to its node, past a tolerated taint",
    pod: {
      tolerations: [{ operator: "Exists" }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["b"] }] }],
          },
        },
      },
    },
    nodes: { a: {}, b: { spec: { unschedulable: true, taints: [{ key: "x", effect: "NoExecute" }] } } },
    answer: "b",
  },
];

const webGroup = { group: () => ({ matchLabels: { app: "web" } }) };

describe("where a pod goes", () => {
  for (const { name, pod, nodes, running, answer } of cases)
    test(name, () => assert.equal(place(infoOf(pod), clusterOf(nodes, running, webGroup)), answer));
});

test("pods just assumed count, until they are forgotten", () => {
  const options = clusterOf({ a: { cpu: "1" } });
  const first = infoOf({ cpu: "800m" });
  const second = infoOf({ cpu: "800m" });
  options.cluster.assume(first, "a");
  options.cluster.setPod(first);
  assert.equal(place(second, options), "0/1 nodes are available: 1 Insufficient cpu.");
  options.cluster.forget(first.uid);
  assert.equal(place(second, options), "a");
});

test("how many nodes are enough", () => {
  for (const [nodes, enough] of [
    [3, 3],
    [99, 99],
    [100, 100],
    [500, 230],
    [1000, 420],
    [5000, 500],
  ] as const)
    assert.equal(feasibleEnough(nodes), enough, String(nodes));
});
