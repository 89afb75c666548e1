import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Node, Pod, Service } from "#kube/generated/types";
import { desiredAddresses, says } from "./status.ts";

const NODES: Readonly<Record<string, Node>> = {
  a: node("a", { InternalIP: ["192.0.2.10", "2001:db8::a"] }),
  b: node("b", { InternalIP: ["192.0.2.9", "2001:db8::b"] }),
  public: node("public", {
    InternalIP: ["192.0.2.30"],
    ExternalIP: ["203.0.113.3", "2001:db8:ffff::3"],
    Hostname: ["host"],
  }),
  odd: node("odd", { InternalIP: ["not an address"] }),
};

function node(name: string, addresses: Readonly<Record<string, readonly string[]>>): Node {
  const entries = Object.entries(addresses).flatMap(([type, list]) =>
    list.map((address) => ({ type, address })),
  );
  return { metadata: { name }, status: { addresses: entries } };
}

function pod(nodeName: string, { ready = "True", podIP = "10.42.0.5" } = {}): Pod {
  return {
    metadata: { name: nodeName },
    spec: { nodeName, containers: [] },
    status: { podIP, conditions: [{ type: "Ready", status: ready }] },
  };
}

function slice(...on: readonly { node: string; ready?: boolean; kind?: string }[]): EndpointSlice {
  return {
    addressType: "IPv4",
    metadata: { name: "s" },
    endpoints: on.map(({ node, ready = true, kind = "Pod" }) => ({
      addresses: [],
      nodeName: node,
      conditions: { ready },
      targetRef: { kind },
    })),
  };
}

const both = ["IPv4", "IPv6"];
const cases: readonly {
  readonly name: string;
  readonly pods: readonly Pod[];
  readonly slices?: readonly EndpointSlice[];
  readonly spec?: Service["spec"];
  readonly expected: readonly string[];
}[] = [
  { name: "none", pods: [], expected: [] },
  { name: "sorted as text", pods: [pod("b"), pod("a")], expected: ["192.0.2.10", "192.0.2.9"] },
  {
    name: "in the order of families",
    pods: [pod("a"), pod("b")],
    spec: { ipFamilies: ["IPv6", "IPv4"] },
    expected: ["2001:db8::a", "2001:db8::b", "192.0.2.10", "192.0.2.9"],
  },
  { name: "one family alone", pods: [pod("a")], spec: { ipFamilies: ["IPv6"] }, expected: ["2001:db8::a"] },
  { name: "no family", pods: [pod("a")], spec: { ipFamilies: [] }, expected: [] },
  {
    name: "an external address shuts out all internal ones",
    pods: [pod("a"), pod("public")],
    spec: { ipFamilies: both },
    expected: ["203.0.113.3", "2001:db8:ffff::3"],
  },
  {
    name: "pods that are not ready do not count",
    pods: [pod("a", { ready: "False" }), pod("b")],
    expected: ["192.0.2.9"],
  },
  { name: "pods without an address do not count", pods: [pod("a", { podIP: "" })], expected: [] },
  { name: "a node that is gone", pods: [pod("gone"), pod("a")], expected: ["192.0.2.10"] },
  { name: "what is no address", pods: [pod("odd")], expected: [] },
  {
    name: "Local: nodes with a ready endpoint that is a pod",
    pods: [pod("a"), pod("b"), pod("public")],
    spec: { externalTrafficPolicy: "Local" },
    slices: [slice({ node: "a" }, { node: "b", ready: false }), slice({ node: "public", kind: "Node" })],
    expected: ["192.0.2.10"],
  },
  { name: "Local: no endpoints", pods: [pod("a")], spec: { externalTrafficPolicy: "Local" }, expected: [] },
];

for (const { name, pods, slices = [], spec = {}, expected } of cases)
  test(`addresses: ${name}`, () => {
    const service = { metadata: { name: "web" }, spec: { ipFamilies: ["IPv4"], ...spec } };
    assert.deepEqual(desiredAddresses(service, { pods, slices, node: (each) => NODES[each] }), expected);
  });

test("a status says the addresses when the API alone added to them", () => {
  const ip = "192.0.2.1";
  assert.ok(says([{ ip, ipMode: "VIP" }], [ip]));
  assert.ok(says([{ ip }], [ip]));
  assert.ok(says([], []));
  assert.ok(!says([{ ip, ipMode: "Proxy" }], [ip]));
  assert.ok(!says([{ ip, hostname: "h" }], [ip]));
  assert.ok(!says([{ ip: "192.0.2.2" }], [ip]));
  assert.ok(!says([{ ip }], []));
});
