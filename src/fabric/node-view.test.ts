import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { missingSubnets, readLease } from "./node-view.ts";

const CLUSTER = [parseCidr("10.42.0.0/16"), parseCidr("fd00:42::/56")];

function leaseOf(podCidrs: readonly string[], clusterCidrs = CLUSTER) {
  return readLease({ name: "n", podCidrs, annotations: {}, addresses: [] }, clusterCidrs);
}

test("a node made before its cluster had both families is told what to do", () => {
  const reading = leaseOf(["10.42.1.0/24"]);
  assert.ok(reading.kind === "acquired");
  assert.match(
    missingSubnets(reading.lease, CLUSTER) ?? "",
    /^Node n has no subnet of fd00:42::\/56: .* podCIDRs never change\. Its pods have no IPv6 until .*kubectl delete node n/,
  );
  assert.equal(missingSubnets(reading.lease, CLUSTER.slice(0, 1)), undefined);
});

test("a node with a subnet of each lacks nothing, in whatever order", () => {
  const reading = leaseOf(["fd00:42:0:1::/64", "10.42.1.0/24"]);
  assert.ok(reading.kind === "acquired");
  assert.equal(missingSubnets(reading.lease, CLUSTER), undefined);
});

test("a subnet of another time's network is told as one", () => {
  const reading = leaseOf(["10.52.1.0/24"]);
  assert.ok(reading.kind === "pending");
  assert.match(reading.why, /10\.52\.1\.0\/24 is outside the cluster's 10\.42.*deleted and made anew/);
});
