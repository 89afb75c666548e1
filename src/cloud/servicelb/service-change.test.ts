import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#kube/generated/types";
import { balancerInputs, changeNotes } from "./service-change.ts";

const base: Service = {
  metadata: { name: "web", namespace: "default", uid: "u" },
  spec: { type: "LoadBalancer", externalTrafficPolicy: "Cluster", ports: [{ port: 80 }] },
};
const withSpec = (spec: Service["spec"]): Service => ({ ...base, spec: { ...base.spec, ...spec } });
const told = (before: Service, after: Service) =>
  changeNotes(before, after).map(({ reason, message }) => `${reason} ${message}`);

for (const [what, after, expected] of [
  ["nothing", base, []],
  ["type", withSpec({ type: "ClusterIP" }), ["Type LoadBalancer -> ClusterIP"]],
  ["a class", withSpec({ loadBalancerClass: "x" }), ["Type LoadBalancer -> LoadBalancer"]],
  [
    "ranges",
    withSpec({ loadBalancerSourceRanges: ["192.0.2.0/24", "198.51.100.0/24"] }),
    ["LoadBalancerSourceRanges [] -> [192.0.2.0/24 198.51.100.0/24]"],
  ],
  ["policy", withSpec({ externalTrafficPolicy: "Local" }), ["ExternalTrafficPolicy Cluster -> Local"]],
  ["address", withSpec({ loadBalancerIP: "192.0.2.1" }), ["LoadbalancerIP  -> 192.0.2.1"]],
  ["ports", withSpec({ ports: [{ port: 81 }] }), []],
] as const)
  test(`what is told of a change of ${what}`, () => assert.deepEqual(told(base, after), expected));

test("of Services that never had a load balancer nothing is told", () => {
  const plain = withSpec({ type: "ClusterIP" });
  assert.deepEqual(told(plain, { ...plain, spec: { ...plain.spec, type: "NodePort" } }), []);
});

test("only what a load balancer is made of counts as a change", () => {
  const inputs = JSON.stringify(balancerInputs(base));
  const same: Service = {
    ...base,
    metadata: { ...base.metadata, resourceVersion: "7" },
    status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } },
  };
  assert.equal(JSON.stringify(balancerInputs(same)), inputs);
  const changes: readonly Service[] = [
    withSpec({ ports: [{ port: 80, nodePort: 30080 }] }),
    withSpec({ ipFamilies: ["IPv4", "IPv6"] }),
    withSpec({ sessionAffinity: "ClientIP" }),
    withSpec({ loadBalancerClass: "" }),
    withSpec({ type: "NodePort" }),
    { ...base, metadata: { ...base.metadata, labels: { a: "b" } } },
    { ...base, metadata: { ...base.metadata, annotations: { a: "b" } } },
    { ...base, metadata: { ...base.metadata, finalizers: ["x"] } },
    { ...base, metadata: { ...base.metadata, deletionTimestamp: "now" } },
  ];
  for (const each of changes) assert.notEqual(JSON.stringify(balancerInputs(each)), inputs);
});
