import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonSet, Node, Pod } from "#kube/generated/types";
import { REVISION_LABEL } from "./eligibility.ts";
import { planDaemons } from "./plan.ts";

const daemonSet: DaemonSet = {
  metadata: { name: "d", namespace: "default", uid: "d-uid" },
  spec: { selector: { matchLabels: { app: "d" } }, template: {}, updateStrategy: { type: "RollingUpdate" } },
};
const nodes: readonly Node[] = ["a", "b"].map((name) => ({ metadata: { name } }));

function podOf(node: string, hash: string, more: { isReady?: boolean; isDeleting?: boolean } = {}): Pod {
  const status = more.isReady === false ? "False" : "True";
  return {
    metadata: {
      name: `d-${node}-${hash}`,
      namespace: "default",
      labels: { [REVISION_LABEL]: hash },
      ...(more.isDeleting ? { deletionTimestamp: "2026-01-02T03:04:05Z" } : {}),
    },
    spec: { nodeName: node, containers: [] },
    status: { phase: "Running", conditions: [{ type: "Ready", status }] },
  };
}

/** An update on two nodes, of which one may be without its pod: what is made and what goes. */
const rows: readonly [
  name: string,
  pods: readonly Pod[],
  create: readonly string[],
  remove: readonly string[],
][] = [
  ["both old", [podOf("a", "1"), podOf("b", "1")], [], ["d-a-1"]],
  ["one going", [podOf("a", "1", { isDeleting: true }), podOf("b", "1")], [], []],
  ["one gone", [podOf("b", "1")], ["a"], []],
  ["one new, not ready", [podOf("a", "2", { isReady: false }), podOf("b", "1")], [], []],
  ["one new, ready", [podOf("a", "2"), podOf("b", "1")], [], ["d-b-1"]],
];
for (const [name, pods, create, remove] of rows)
  test(`rolling update: ${name}`, () => {
    const plan = planDaemons({ daemonSet, hash: "2", nodes, pods, now: Date.parse("2026-01-02T03:05:00Z") });
    assert.deepEqual(plan.create, create);
    assert.deepEqual(
      plan.delete.map(({ metadata }) => metadata.name),
      remove,
    );
  });
