import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { systemClock } from "#life/clock";
import { bootstrapObjects } from "./bootstrap.ts";

test("a cluster begins with what its clients look for, namespaces first", () => {
  const objects = bootstrapObjects({
    serviceCidrs: [parseCidr("10.43.0.0/16")],
    advertise: { ip: parseIp("192.0.2.1"), port: 6443 },
    clientCa: "CA",
    clock: { ...systemClock, now: () => Date.parse("2026-11-22T12:10:22Z") },
  });
  assert.deepEqual(
    objects.slice(0, 4).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ["Namespace default", "Namespace kube-system", "Namespace kube-public", "Namespace kube-node-lease"],
  );
  const maps = objects.filter(({ kind }) => kind === "ConfigMap");
  assert.deepEqual(
    maps.map((map) => [map.metadata.namespace, map.metadata.name, "data" in map && map.data]),
    [["kube-system", "extension-apiserver-authentication", { "client-ca-file": "CA" }]],
  );
});
