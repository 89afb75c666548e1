import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoints } from "#kube/endpoints";
import { planSlices } from "../endpointslice/plan.ts";
import { isMirrored, mirrored, mirrorFrame } from "./desired.ts";

const metadata = { name: "db", namespace: "default", uid: "e" };
const selectorless = { metadata, spec: { ports: [{ port: 80 }] } };

test("one group for each set of ports and family; bad addresses are counted, ready ones say so", () => {
  const endpoints: Endpoints = {
    metadata,
    subsets: [
      {
        addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }],
        notReadyAddresses: [{ ip: "192.0.2.2" }],
        ports: [{ port: 80 }],
      },
      { addresses: [{ ip: "192.0.2.3" }, { ip: "nonsense" }], ports: [{ port: 80 }] },
      { addresses: [{ ip: "192.0.2.1" }], ports: [{ name: "x", port: 81 }] },
    ],
  };
  const { byAddressType, invalid, skipped } = mirrored(endpoints);
  const text = [...byAddressType].map(([type, groups]) =>
    groups.map(
      ({ ports, endpoints: list }) =>
        `${type}:${ports[0]?.port} ${list.map(({ addresses, conditions }) => `${addresses[0]}${conditions?.ready ? "" : "!"}`)}`,
    ),
  );
  assert.deepEqual(text, [
    ["IPv4:80 192.0.2.1,192.0.2.2!,192.0.2.3", "IPv4:81 192.0.2.1"],
    ["IPv6:80 2001:db8::1"],
  ]);
  assert.deepEqual([invalid, skipped], [1, 0]);
});

test("a thousand of a subset are mirrored", () => {
  const addresses = Array.from({ length: 1200 }, (_, i) => ({ ip: `10.0.${i >> 8}.${i & 255}` }));
  const { byAddressType, skipped } = mirrored({ metadata, subsets: [{ addresses, ports: [{ port: 80 }] }] });
  assert.equal(skipped, 200);
  const plan = planSlices(mirrorFrame({ metadata }), "IPv4", byAddressType.get("IPv4") ?? [], []);
  assert.deepEqual(
    plan.create.map(({ endpoints }) => endpoints?.length),
    [1000],
  );
});

test("labels and annotations are copied, those of the writing aside", () => {
  const annotations = {
    keep: "1",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    "endpoints.kubernetes.io/last-change-trigger-time": "x",
  };
  const frame = mirrorFrame({ metadata: { ...metadata, labels: { a: "b" }, annotations } });
  assert.deepEqual(frame.metadata.annotations, { keep: "1" });
  assert.equal(frame.labels["a"], "b");
  assert.equal(
    frame.labels["endpointslice.kubernetes.io/managed-by"],
    "endpointslicemirroring-controller.k8s.io",
  );
});

const rules: readonly (readonly [
  string,
  Endpoints | undefined,
  (typeof selectorless & { spec: { selector?: Record<string, string> } }) | undefined,
  boolean,
])[] = [
  ["no service", { metadata }, undefined, false],
  ["no endpoints", undefined, selectorless, false],
  ["selectorless", { metadata }, selectorless, true],
  [
    "selected",
    { metadata },
    { ...selectorless, spec: { ...selectorless.spec, selector: { a: "b" } } },
    false,
  ],
  [
    "skipped",
    { metadata: { ...metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } },
    selectorless,
    false,
  ],
  [
    "a leader's lock",
    { metadata: { ...metadata, annotations: { "control-plane.alpha.kubernetes.io/leader": "x" } } },
    selectorless,
    false,
  ],
];
for (const [name, endpoints, service, expected] of rules)
  test(`mirrored or not: ${name}`, () => assert.equal(isMirrored(endpoints, service), expected));

test("nothing to mirror leaves no slice", () => {
  const standing = {
    metadata: { name: "db-x" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["192.0.2.1"] }],
    ports: [],
  };
  assert.equal(planSlices(mirrorFrame({ metadata }), "IPv4", [], [standing]).delete.length, 1);
});
