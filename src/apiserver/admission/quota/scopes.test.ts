import assert from "node:assert/strict";
import { test } from "node:test";
import type { PersistentVolumeClaim } from "#kube/generated/types";
import { isInScope } from "./scopes.ts";

const CLAIMS = { group: "", plural: "persistentvolumeclaims" };
const gold = { spec: { volumeAttributesClassName: "gold" } };
const changing = {
  status: { modifyVolumeStatus: { status: "Pending", targetVolumeAttributesClassName: "gold" } },
};

type Rule = readonly [scopeName: string, operator: string, values?: readonly string[]];
const CASES: readonly (readonly [Rule, Partial<PersistentVolumeClaim>, boolean])[] = [
  [["VolumeAttributesClass", "In", ["gold"]], gold, true],
  [["VolumeAttributesClass", "In", ["gold"]], changing, true],
  [["VolumeAttributesClass", "In", ["silver"]], gold, false],
  [["VolumeAttributesClass", "In", ["gold"]], {}, false],
  [["VolumeAttributesClass", "Exists"], gold, true],
  [["VolumeAttributesClass", "DoesNotExist"], {}, true],
  [["PriorityClass", "DoesNotExist"], gold, false],
];

for (const [[scopeName, operator, values], claim, expected] of CASES)
  test(`${scopeName} ${operator} ${values ?? ""}: ${JSON.stringify(claim)}`, () => {
    const rule = { scopeName, operator, ...(values && { values: [...values] }) };
    const quota = {
      apiVersion: "v1" as const,
      kind: "ResourceQuota" as const,
      metadata: { name: "q" },
      spec: { scopeSelector: { matchExpressions: [rule] } },
    };
    const object = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "v" }, ...claim };
    assert.equal(isInScope(quota as never, CLAIMS as never, object as never), expected);
  });
