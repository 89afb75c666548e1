import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseIp } from "#addr/ip";
import type { Node } from "#kube/generated/types";
import type { Place, ServiceConfig } from "../model.ts";
import { printExplanation } from "../status/print-explanation.ts";
import { TEST_CONFIG } from "../testing/config.ts";
import {
  type EndpointShape,
  nodeObject,
  type ServiceShape,
  serviceObject,
  sliceObject,
} from "../testing/objects.ts";
import type { AskedConnection } from "./asked-input.ts";
import { explainService } from "./explain.ts";
import { CLIENTS, type Explanation } from "./model.ts";
import { SENTENCES } from "./sentences.ts";

const NODES: readonly Node[] = [
  nodeObject({ name: "a", internalIps: ["192.168.9.1"], podCidrs: ["10.42.0.0/24"] }),
  nodeObject({ name: "b", internalIps: ["192.168.9.2"], podCidrs: ["10.42.1.0/24"] }),
  nodeObject({ name: "c", internalIps: ["192.168.9.3"], podCidrs: ["10.42.2.0/24"] }),
];
const OWN = [parseIp("192.168.9.1")];
/** Behind an address that the machine does not have. */
const NODE_IPS = [...OWN, parseIp("198.51.100.7")];
const HERE: Place = { nodeName: "a", zone: undefined, localIps: OWN, nodeIps: NODE_IPS, nodePortIps: OWN };
const ON_A: EndpointShape = { ip: "10.42.0.2", nodeName: "a" };
const ON_B: EndpointShape = { ip: "10.42.1.2", nodeName: "b" };
const LEAVING = { ready: false, serving: true, terminating: true };
const PORTS = [{ port: 80, nodePort: 30080 }];
const BALANCER: ServiceShape = {
  type: "LoadBalancer",
  ports: PORTS,
  ingress: [{ ip: "192.168.9.1" }, { ip: "192.168.9.2" }],
};

interface Sample {
  readonly name: string;
  readonly service: ServiceShape;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly endpoints?: readonly EndpointShape[];
  readonly config?: Partial<ServiceConfig>;
  readonly asked?: AskedConnection;
}

function explain({
  service,
  annotations = {},
  endpoints = [ON_A, ON_B],
  config,
  asked,
}: Sample): Explanation {
  const object = serviceObject(service);
  return explainService({
    service: { ...object, metadata: { ...object.metadata, annotations } },
    slices: [sliceObject({ endpoints })],
    nodes: NODES,
    config: { ...TEST_CONFIG, ...config },
    here: { ...HERE, ...(config?.localhostNodePorts ? { loopbackIps: [parseIp("127.0.0.1")] } : {}) },
    ...(asked ? { asked } : {}),
  });
}

function pageOf(explanation: Explanation): string {
  const rounds = { total: 1, failed: 0, lastAt: null, lastSeconds: null, lastFaults: [] };
  const connections = { listed: [], total: 0, masqueraded: 0, unread: null };
  const common = { node: "a", at: "2026-01-01T00:00:00.000Z", waitingFor: [], rounds, problems: [] };
  return printExplanation([{ kind: "explain", ...common, explanation, connections }]);
}

/** Whole pages: every sentence in its place. */
const PAGES: readonly Sample[] = [
  { name: "cluster-policy", service: BALANCER },
  { name: "local-policy", service: { ...BALANCER, externalTrafficPolicy: "Local" } },
  {
    name: "asked-to-masquerade",
    service: BALANCER,
    annotations: { "service.twill.io/client-address": "masquerade" },
  },
  { name: "cluster-ip-only", service: {} },
  {
    name: "node-port-leaving",
    service: { type: "NodePort", ports: PORTS },
    endpoints: [{ ...ON_A, conditions: LEAVING }],
  },
  {
    name: "on-loopback",
    service: { type: "NodePort", ports: PORTS, externalTrafficPolicy: "Local" },
    endpoints: [ON_B],
    config: { localhostNodePorts: true },
  },
  {
    name: "other-load-balancers",
    service: {
      ...BALANCER,
      loadBalancerClass: "metallb.io/metallb",
      loadBalancerSourceRanges: ["203.0.113.0/24"],
      ingress: [{ ip: "192.168.7.7" }, { ip: "192.168.7.8", ipMode: "Proxy" }, { hostname: "lb.example" }],
      externalIPs: ["192.168.7.9"],
    },
  },
  { name: "no-endpoints", service: { type: "NodePort", ports: PORTS }, endpoints: [] },
  { name: "inside-local", service: { internalTrafficPolicy: "Local" }, endpoints: [ON_B] },
  { name: "masquerade-all", service: {}, config: { masqueradeAll: true } },
  {
    name: "unknown-pods",
    service: { type: "NodePort", ports: PORTS },
    config: { localPods: { kind: "none" } },
  },
  { name: "host-network", service: {}, endpoints: [{ ip: "192.168.9.2", nodeName: "b" }] },
  { name: "headless", service: { clusterIP: "None" } },
  { name: "other-proxy", service: { labels: { "service.kubernetes.io/service-proxy-name": "kube-router" } } },
  { name: "external-name", service: { type: "ExternalName", externalName: "db.example", clusterIP: "" } },
];

describe("pages", () => {
  for (const sample of PAGES)
    test(sample.name, (t) => {
      const path = join(import.meta.dirname, "testdata", `${sample.name}.txt`);
      t.assert.fileSnapshot(pageOf(explain(sample)), path, { serializers: [(text) => String(text)] });
    });
});

test("every reason is told in some page", () => {
  const told = new Set(PAGES.flatMap((sample) => explain(sample).cases.map(({ reason }) => reason)));
  assert.deepEqual(
    Object.keys(SENTENCES).filter((reason) => ![...told].some((each) => each === reason)),
    [],
  );
});

test("where an address is lost, something can be done about it", () => {
  for (const sample of PAGES)
    for (const { client, sees, remedy, reason } of explain(sample).cases)
      if (client !== "this-node") assert.equal(remedy !== "", sees === "node", `${sample.name}: ${reason}`);
});

test("what is asked for in a way that cannot be read counts as not said", () => {
  const annotations = { "service.twill.io/client-address": "perhaps" };
  assert.equal(explain({ name: "", service: BALANCER, annotations }).clientAddress, "preserve");
});

const ip = (text: string) => parseIp(text);

/** One connection and what is said of it; the beginning of the sentence. */
const CONNECTIONS: readonly (Omit<Sample, "name"> & {
  readonly asked: AskedConnection;
  readonly told: RegExp;
})[] = [
  {
    service: BALANCER,
    asked: { from: ip("203.0.113.9"), to: ip("192.168.9.1"), port: 80 },
    told: /^203.0.113.9 \(outside the cluster\) to 192.168.9.1:80\/TCP at a leads to 10.42.0.2:8080, which sees the client's own address\. externalTrafficPolicy is Cluster and the entry node holds a ready endpoint/,
  },
  {
    service: BALANCER,
    endpoints: [ON_B],
    asked: { to: ip("192.168.9.1"), port: 30080 },
    told: /^A client outside to 192.168.9.1:30080\/TCP at a leads to 10.42.1.2:8080, which sees an address of node a\. .* To have the client's: set externalTrafficPolicy: Local/,
  },
  {
    service: BALANCER,
    asked: { from: ip("203.0.113.9"), to: ip("192.168.9.3"), port: 30080 },
    told: /^203.0.113.9 .* at c leads to .*, which sees an address of node c\./,
  },
  {
    service: { ...BALANCER, externalTrafficPolicy: "Local" },
    asked: { from: ip("203.0.113.9"), to: ip("192.168.9.3"), port: 30080 },
    told: /^203.0.113.9 .* at c: dropped\. externalTrafficPolicy is Local and the entry node holds no endpoint/,
  },
  {
    service: {},
    asked: { from: ip("10.42.1.9"), to: ip("10.43.0.7") },
    told: /^10.42.1.9 \(a pod of b\) to 10.43.0.7:80\/TCP at b leads to .*, which sees the client's own address\./,
  },
  {
    service: {},
    asked: { from: ip("10.42.0.2"), to: ip("10.43.0.7"), port: 80 },
    told: /^10.42.0.2 \(a pod of a\) .* Where it is led to itself, it sees its node's address/,
  },
  {
    service: { ...BALANCER, externalTrafficPolicy: "Local" },
    asked: { from: ip("10.42.1.9"), to: ip("192.168.9.1"), port: 30080 },
    told: /^10.42.1.9 \(a pod of b\) to 192.168.9.1:30080\/TCP at a leads to 10.42.0.2:8080, which sees an address of node b\./,
  },
  {
    service: BALANCER,
    asked: { from: ip("10.42.1.9"), to: ip("192.168.9.1"), port: 80 },
    told: /^10.42.1.9 \(a pod of b\) to 192.168.9.1:80\/TCP at b leads to .*, which sees an address of node b\. The client is a pod that uses/,
  },
  {
    service: { type: "NodePort", ports: PORTS },
    asked: { to: ip("198.51.100.7"), port: 30080 },
    told: /^198.51.100.7 is an address of a that the machine itself does not have: .* Ask with --to 192.168.9.1\.$/,
  },
  {
    service: BALANCER,
    asked: { to: ip("198.51.100.7"), port: 80 },
    told: /^A client outside to 198.51.100.7:80\/TCP at a leads to 10.42.0.2:8080, which sees the client's own address\./,
  },
  {
    service: BALANCER,
    asked: { to: ip("198.51.100.1") },
    told: /^198.51.100.1 is no address .*; it has 10.43.0.7, 192.168.9.1, 192.168.9.2, 198.51.100.7, and addresses of nodes at port 30080\.$/,
  },
  {
    service: { type: "NodePort", ports: PORTS, externalTrafficPolicy: "Local" },
    config: { localhostNodePorts: true },
    asked: { to: ip("127.0.0.1"), port: 30080 },
    told: /^node a to 127.0.0.1:30080\/TCP at a leads to 10.42.0.2:8080 or 10.42.1.2:8080, which sees an address of node a\./,
  },
  { service: BALANCER, asked: { from: ip("203.0.113.9") }, told: /^203.0.113.9 is outside the cluster\.$/ },
  {
    service: BALANCER,
    asked: { from: ip("2001:db8::1") },
    told: /^2001:db8::1 is outside the cluster\. default\/web has no IPv6 address\.$/,
  },
  { service: BALANCER, asked: { from: ip("10.42.2.9") }, told: /^10.42.2.9 is a pod of c\.$/ },
  { service: BALANCER, asked: { from: ip("192.168.9.2") }, told: /^192.168.9.2 is node b\.$/ },
  {
    service: BALANCER,
    asked: { from: ip("192.168.9.2"), to: ip("192.168.9.1"), port: 30080 },
    told: /^192.168.9.2 \(node b\) .* at a leads to .* an address of node a\. The client is another node/,
  },
  {
    service: { ...BALANCER, loadBalancerSourceRanges: ["198.51.100.0/24"] },
    asked: { from: ip("203.0.113.9"), to: ip("192.168.9.1"), port: 80 },
    told: /: dropped\. loadBalancerSourceRanges \(198.51.100.0\/24\) do not hold it\.$/,
  },
  {
    service: { ...BALANCER, ingress: [{ ip: "192.168.7.8", ipMode: "Proxy" }] },
    asked: { to: ip("192.168.7.8"), port: 80 },
    told: /^192.168.7.8 is a load balancer's that wants to see every packet \(ipMode Proxy\)/,
  },
  {
    service: BALANCER,
    asked: { to: ip("192.168.9.3"), port: 80 },
    told: /^192.168.9.3 is an address of c, but not one that default\/web is reached by: a svclb pod/,
  },
  {
    service: BALANCER,
    asked: { to: ip("192.168.9.1"), port: 81 },
    told: /^default\/web has no port 81 there; it has 30080, 80\.$/,
  },
  {
    service: {},
    asked: { to: ip("198.51.100.1") },
    told: /^198.51.100.1 is no address of default\/web; it has 10.43.0.7\.$/,
  },
  {
    service: { clusterIP: "None" },
    asked: { to: ip("10.42.0.9") },
    told: /^default\/web is not routed\. It is headless/,
  },
];

describe("one connection", () => {
  for (const { told, ...sample } of CONNECTIONS)
    test(String(told), () => {
      const { asked = [] } = explain({ name: "", ...sample });
      assert.match(asked[0] ?? "", told);
    });
});

const NARROWED: readonly (readonly [asked: AskedConnection, cases: readonly string[]])[] = [
  [
    { from: ip("203.0.113.9"), port: 80 },
    [
      "outside load-balancer near-endpoint reaches",
      "outside load-balancer no-endpoint-here reaches",
      "outside cluster-ip stranger-inside reaches",
    ],
  ],
  [
    { from: ip("198.51.100.9"), port: 80 },
    [
      "outside load-balancer near-endpoint dropped",
      "outside load-balancer no-endpoint-here dropped",
      "outside cluster-ip stranger-inside reaches",
    ],
  ],
  [{ from: ip("10.42.0.9"), port: 30080 }, ["pod node-port pod-from-outside reaches"]],
  [{ from: ip("2001:db8::1") }, []],
  [{ to: ip("10.43.0.7") }, []],
];

for (const [asked, cases] of NARROWED)
  test(`of all cases those are told that are asked about: ${JSON.stringify(asked)}`, () => {
    const service = { ...BALANCER, loadBalancerSourceRanges: ["203.0.113.0/24"] };
    assert.deepEqual(
      explain({ name: "", service, asked }).cases.map(
        ({ client, way, reason, outcome }) => `${client} ${way} ${reason} ${outcome}`,
      ),
      cases,
    );
  });

test("where the families differ, each has its own cases", () => {
  const plain = serviceObject({ type: "NodePort", ports: PORTS });
  const spec = { ...plain.spec, clusterIP: "10.43.0.7", clusterIPs: ["10.43.0.7", "fd43::7"] };
  const both = { ...HERE, nodePortIps: [...OWN, parseIp("fd92:9::1")] };
  const { cases } = explainService({
    service: { ...plain, spec },
    slices: [sliceObject({ endpoints: [ON_A] })],
    nodes: NODES,
    config: TEST_CONFIG,
    here: both,
  });
  assert.deepEqual(
    cases
      .filter(({ client, way, nodes }) => client === "outside" && way === "node-port" && nodes.includes("a"))
      .map(({ reason, families }) => `${reason} ${families.join(" ")}`),
    ["near-endpoint 4", "no-endpoints 6"],
  );
});

test("nodes by the thousand are told by the few kinds there are", () => {
  const nodes = Array.from({ length: 3_000 }, (_, i) =>
    nodeObject({ name: `n${i}`, internalIps: [`10.9.${i >> 8}.${i & 255}`] }),
  );
  const endpoints = Array.from({ length: 5_000 }, (_, i) => ({
    ip: `10.42.${i >> 8}.${i & 255}`,
    nodeName: `n${i % 1_000}`,
  }));
  const explanation = explainService({
    service: serviceObject(BALANCER),
    slices: [sliceObject({ endpoints })],
    nodes,
    config: TEST_CONFIG,
    here: HERE,
  });
  assert.ok(JSON.stringify(explanation).length < 20_000);
  const outside = explanation.cases.filter(({ client, way }) => client === "outside" && way === "node-port");
  assert.deepEqual(
    outside.map(({ reason, nodeCount }) => [reason, nodeCount]),
    [
      ["near-endpoint", 1_000],
      ["no-endpoint-here", 2_001],
    ],
  );
  assert.deepEqual([...new Set(explanation.cases.map(({ client }) => client))], [...CLIENTS]);
});
