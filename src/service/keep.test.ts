import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "#kube/generated/types";
import { keepService, sliceKeeper } from "./keep.ts";
import { serviceObject } from "./testing/objects.ts";

const FULL: EndpointSlice = {
  metadata: {
    name: "web-x2x",
    generateName: "web-",
    namespace: "default",
    labels: { "kubernetes.io/service-name": "web" },
    ownerReferences: [{ apiVersion: "v1", kind: "Service", name: "web", uid: "1" }],
    managedFields: [{ manager: "m", operation: "Update" }],
  },
  addressType: "IPv4",
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints: [
    {
      addresses: ["10.42.0.2"],
      conditions: { ready: true, serving: true, terminating: false },
      hints: { forZones: [{ name: "z1" }] },
      nodeName: "n1",
      zone: "z1",
      targetRef: { kind: "Pod", name: "web-1", namespace: "default", uid: "2" },
    },
    { addresses: ["10.42.0.3"], conditions: { ready: true, serving: true, terminating: false } },
  ],
};

test("of a slice all stays that routing and telling of it reads", () => {
  const kept = sliceKeeper()(FULL);
  const [first, second] = FULL.endpoints ?? [];
  assert.deepEqual(kept, {
    metadata: { name: "web-x2x", namespace: "default", labels: FULL.metadata.labels },
    addressType: "IPv4",
    ports: FULL.ports,
    endpoints: [{ ...first, targetRef: { kind: "Pod", name: "web-1", namespace: "default" } }, second],
  });
  assert.equal(
    kept.endpoints?.[0]?.conditions,
    kept.endpoints?.[1]?.conditions,
    "equal conditions are one object",
  );
});

test("a slice without endpoints, and a service", () => {
  const { endpoints: _, ...empty } = FULL;
  assert.deepEqual(sliceKeeper()(empty).endpoints, []);
  const service = serviceObject({});
  const written = { ...service, metadata: { ...service.metadata, managedFields: [{ manager: "m" }] } };
  assert.deepEqual(keepService(written), service);
});
