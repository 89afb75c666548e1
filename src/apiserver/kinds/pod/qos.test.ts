import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceRequirements } from "#kube/generated/types";
import { qosClassOf } from "./qos.ts";

const both = { cpu: "1", memory: "1Gi" };

const CASES: readonly (readonly [
  container: ResourceRequirements,
  pod: ResourceRequirements | undefined,
  expected: string,
])[] = [
  [{}, undefined, "BestEffort"],
  [{ limits: both, requests: both }, undefined, "Guaranteed"],
  [{ limits: both, requests: { cpu: "0", memory: "1Gi" } }, undefined, "Burstable"],
  [{ limits: both, requests: { cpu: "1" } }, undefined, "Burstable"],
  [{}, { limits: both, requests: both }, "Guaranteed"],
  [{ limits: both, requests: both }, { requests: { cpu: "2" } }, "Burstable"],
];

for (const [resources, pod, expected] of CASES)
  test(`${expected}: ${JSON.stringify({ resources, pod })}`, () => {
    const containers = [{ name: "c", image: "i", resources }];
    assert.equal(qosClassOf({ containers, ...(pod && { resources: pod }) }), expected);
  });
