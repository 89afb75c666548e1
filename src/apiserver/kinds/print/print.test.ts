import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { formatQuantity, parseQuantity } from "#kube/quantity";
import { openKinds } from "../all.ts";
import { ageOf, shortDuration } from "./age.ts";
import { selectorText } from "./words.ts";

const durations: readonly (readonly [number, string])[] = [
  [-5, "<invalid>"],
  [-1, "0s"],
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [185, "3m5s"],
  [599, "9m59s"],
  [600, "10m"],
  [3 * 3600 - 1, "179m"],
  [3 * 3600, "3h"],
  [3 * 3600 + 61, "3h1m"],
  [8 * 3600, "8h"],
  [47 * 3600, "47h"],
  [48 * 3600, "2d"],
  [50 * 3600, "2d2h"],
  [8 * 86400, "8d"],
  [729 * 86400, "729d"],
  [731 * 86400, "2y1d"],
  [9 * 365 * 86400, "9y"],
];

for (const [seconds, text] of durations)
  test(`${seconds} s is ${text}`, () => {
    assert.equal(shortDuration(seconds * 1000), text);
  });

test("no time is no age", () => {
  assert.equal(ageOf(undefined, 0), "<unknown>");
});

const quantities: readonly (readonly [string, string | undefined])[] = [
  ["1", "1"],
  ["1000m", "1"],
  ["0.5", "500m"],
  ["100m", "100m"],
  ["1500m", "1500m"],
  ["1k", "1k"],
  ["1000", "1k"],
  ["1024Mi", "1Gi"],
  ["1.5Gi", "1536Mi"],
  ["512", "512"],
  ["0.5Ki", "512"],
  ["1e3", "1e3"],
  ["0", "0"],
  ["-2", "-2"],
  ["1n", "1n"],
  [".5", "500m"],
  ["1i", undefined],
  ["", undefined],
  ["abc", undefined],
];

for (const [text, stored] of quantities)
  test(`quantity ${JSON.stringify(text)} is stored as ${stored}`, () => {
    const quantity = parseQuantity(text);
    assert.equal(quantity === undefined ? undefined : formatQuantity(quantity), stored);
  });

test("selectors read as kubectl takes them", () => {
  const matchExpressions = [
    { key: "tier", operator: "In", values: ["b", "a"] },
    { key: "old", operator: "DoesNotExist" },
  ];
  assert.equal(selectorText({ matchLabels: { app: "web" }, matchExpressions }), "app=web,!old,tier in (a,b)");
  assert.equal(selectorText({}), "<none>");
});

const { kinds } = openKinds({
  serviceCidrs: [parseCidr("10.43.0.0/16")],
  nodePortRange: { from: 30000, to: 32767 },
  clusterDomain: "cluster.local",
});
const now = Date.parse("2026-01-01T12:00:00Z");
const metadata = { name: "x", namespace: "default", creationTimestamp: "2026-01-01T11:00:00Z" };

test("every kind fills every column, even of an object that has nothing", () => {
  for (const kind of kinds) {
    const spec = { scaleTargetRef: { kind: "Deployment", name: "x" }, template: {}, jobTemplate: {} };
    const bare = { metadata, spec, roleRef: { kind: "Role", name: "x" }, involvedObject: {} };
    const cells = kind.cells(bare as never, now);
    // kube-apiserver's rows of addresses have a cell too many
    const extra = kind.resource.kind === "IPAddress" ? 1 : 0;
    assert.equal(cells.length, kind.columns.length + extra, kind.resource.kind);
  }
});

test("plurals and short names are said once", () => {
  const stored = kinds.filter(({ conversion }) => conversion === undefined);
  const words = stored.flatMap(({ resource, shortNames }) => [resource.plural, ...shortNames]);
  assert.equal(new Set(words).size, words.length);
});

const template = {
  metadata: { labels: { app: "web" } },
  spec: {
    containers: [
      { name: "a", image: "nginx" },
      { name: "b", image: "redis" },
    ],
  },
};
const selector = { matchLabels: { app: "web" } };

const rows: readonly { kind: string; object: object; cells: readonly unknown[] }[] = [
  {
    kind: "Deployment",
    object: {
      spec: { replicas: 3, selector, template },
      status: { readyReplicas: 1, updatedReplicas: 3, availableReplicas: 1 },
    },
    cells: ["x", "1/3", 3, 1, "60m", "a,b", "nginx,redis", "app=web"],
  },
  {
    kind: "ReplicaSet",
    object: { spec: { replicas: 3, selector, template }, status: { replicas: 2 } },
    cells: ["x", 3, 2, 0, "60m", "a,b", "nginx,redis", "app=web"],
  },
  {
    kind: "DaemonSet",
    object: {
      spec: { selector, template },
      status: { desiredNumberScheduled: 2, currentNumberScheduled: 2, numberReady: 1 },
    },
    cells: ["x", 2, 2, 1, 0, 0, "<none>", "60m", "a,b", "nginx,redis", "app=web"],
  },
  {
    kind: "Service",
    object: {
      spec: {
        type: "LoadBalancer",
        clusterIPs: ["10.43.0.9"],
        ports: [
          { port: 80, nodePort: 30080, protocol: "TCP" },
          { port: 53, protocol: "UDP" },
        ],
        selector: { b: "2", a: "1" },
      },
    },
    cells: ["x", "LoadBalancer", "10.43.0.9", "<pending>", "80:30080/TCP,53/UDP", "60m", "a=1,b=2"],
  },
  {
    kind: "Service",
    object: {
      spec: { type: "LoadBalancer", clusterIPs: ["10.43.0.9"], ports: [] },
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.2" }, { ip: "192.0.2.1" }] } },
    },
    cells: ["x", "LoadBalancer", "10.43.0.9", "192.0.2.1,192.0.2.2", "<none>", "60m", "<none>"],
  },
  {
    kind: "EndpointSlice",
    object: {
      addressType: "IPv4",
      ports: [{ port: 80 }],
      endpoints: ["1", "2", "3", "4"].map((n) => ({ addresses: [`10.42.0.${n}`] })),
    },
    cells: ["x", "IPv4", "80", "10.42.0.1,10.42.0.2,10.42.0.3 + 1 more...", "60m"],
  },
  {
    kind: "Node",
    object: {
      metadata: {
        ...metadata,
        labels: { "node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/master": "" },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "192.0.2.7" }],
        nodeInfo: {
          kubeletVersion: "v1.36.1+twill1",
          kernelVersion: "6.18.0",
          osImage: "Debian",
          containerRuntimeVersion: "process://1",
        },
      },
    },
    cells: [
      "x",
      "Ready,SchedulingDisabled",
      "control-plane,master",
      "60m",
      "v1.36.1+twill1",
      "192.0.2.7",
      "<none>",
      "Debian",
      "6.18.0",
      "process://1",
    ],
  },
  { kind: "Namespace", object: { status: { phase: "Active" } }, cells: ["x", "Active", "60m"] },
  { kind: "Secret", object: { type: "Opaque", data: { a: "", b: "" } }, cells: ["x", "Opaque", 2, "60m"] },
  { kind: "ConfigMap", object: { data: { a: "" }, binaryData: { b: "" } }, cells: ["x", 2, "60m"] },
  {
    kind: "Ingress",
    object: {
      spec: { ingressClassName: "traefik", rules: [{ host: "a.example" }], tls: [{}] },
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } },
    },
    cells: ["x", "traefik", "a.example", "192.0.2.1", "80, 443", "60m"],
  },
  {
    kind: "RoleBinding",
    object: {
      roleRef: { kind: "ClusterRole", name: "view" },
      subjects: [{ kind: "ServiceAccount", name: "s", namespace: "n" }],
    },
    cells: ["x", "ClusterRole/view", "60m", "", "", "n/s"],
  },
  { kind: "Lease", object: { spec: { holderIdentity: "me" } }, cells: ["x", "me", "60m"] },
  {
    kind: "Event",
    object: {
      lastTimestamp: "2026-01-01T11:59:00Z",
      firstTimestamp: "2026-01-01T11:00:00Z",
      type: "Normal",
      reason: "Pulled",
      involvedObject: { kind: "Pod", name: "p" },
      source: { component: "kubelet", host: "n1" },
      message: "done\n",
      count: 4,
    },
    cells: ["60s", "Normal", "Pulled", "pod/p", "", "kubelet, n1", "done", "60m", 4, "x"],
  },
];

for (const { kind, object, cells } of rows)
  test(`row of a ${kind}`, () => {
    const spec = kinds.find(({ resource }) => resource.kind === kind);
    assert.ok(spec);
    assert.deepEqual(spec.cells({ metadata, ...object } as never, now), cells);
  });
