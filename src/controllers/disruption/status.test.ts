import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodDisruptionBudget } from "#kube/generated/types";
import { staleInMs } from "./stale-condition.ts";
import { budgetStatus, disruptionsOf, expectationOf, failedStatus, needsScale } from "./status.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");

function pod(name: string, { ready = true, deleting = false } = {}): Pod {
  return {
    metadata: { name, ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}) },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

const budgets: readonly (readonly [
  PodDisruptionBudget["spec"],
  expected: number,
  desired: number,
  scale: boolean,
])[] = [
  [{ minAvailable: 3 }, 5, 3, false],
  [{ minAvailable: "50%" }, 5, 3, true],
  [{ minAvailable: "100%" }, 4, 4, true],
  [{ maxUnavailable: 1 }, 5, 4, true],
  [{ maxUnavailable: "30%" }, 5, 3, true],
  [{ maxUnavailable: "0%" }, 5, 5, true],
  [{ maxUnavailable: 9 }, 5, 0, true],
];
for (const [spec, expected, desired, scale] of budgets)
  test(`${JSON.stringify(spec)} of ${expected} pods wants ${desired} healthy`, () => {
    const budget = { metadata: { name: "b" }, spec };
    assert.equal(needsScale(budget), scale);
    assert.deepEqual(expectationOf(budget, expected), { expectedPods: expected, desiredHealthy: desired });
  });

const states: readonly (readonly [
  string,
  readonly Pod[],
  Record<string, string>,
  expected: number,
  string,
])[] = [
  ["all ready", [pod("a"), pod("b"), pod("c")], {}, 3, "3 healthy, 1 allowed, True SufficientPods"],
  [
    "one not ready",
    [pod("a"), pod("b"), pod("c", { ready: false })],
    {},
    3,
    "2 healthy, 0 allowed, False InsufficientPods",
  ],
  [
    "one leaving",
    [pod("a"), pod("b"), pod("c", { deleting: true })],
    {},
    3,
    "2 healthy, 0 allowed, False InsufficientPods",
  ],
  [
    "one evicted",
    [pod("a"), pod("b"), pod("c")],
    { a: "2026-01-01T00:09:00Z" },
    3,
    "2 healthy, 0 allowed, False InsufficientPods",
  ],
  ["nothing expected", [pod("a"), pod("b"), pod("c")], {}, 0, "3 healthy, 0 allowed, False InsufficientPods"],
];
for (const [name, pods, disruptedPods, expectedPods, wanted] of states)
  test(`a budget whose pods are ${name}`, () => {
    const budget = { metadata: { name: "b", generation: 4 }, status: { disruptedPods } };
    const { disruptedPods: left } = disruptionsOf(budget, pods, NOW);
    const status = budgetStatus(budget, { expectedPods, desiredHealthy: 2 }, left, { pods, now: NOW });
    const [condition] = status.conditions ?? [];
    const text = `${status.currentHealthy} healthy, ${status.disruptionsAllowed} allowed, ${condition?.status} ${condition?.reason}`;
    assert.equal(text, wanted);
    assert.equal(status.observedGeneration, 4);
  });

test("an evicted pod counts again when it is not gone after two minutes, is forgotten when it is, and the next look is in time", () => {
  const disruptedPods = {
    old: "2026-01-01T00:07:00Z",
    new: "2026-01-01T00:09:00Z",
    gone: "2026-01-01T00:09:30Z",
  };
  const budget = { metadata: { name: "b" }, status: { disruptedPods } };
  const found = disruptionsOf(budget, [pod("old"), pod("new")], NOW);
  assert.deepEqual(found.disruptedPods, { new: "2026-01-01T00:09:00Z" });
  assert.deepEqual(
    found.overdue.map(({ metadata }) => metadata.name),
    ["old"],
  );
  assert.equal(found.recheckMs, 60_000);
});

test("a budget that cannot be worked out allows nothing and says why", () => {
  const before = {
    metadata: { name: "b" },
    status: { disruptionsAllowed: 2, currentHealthy: 3, expectedPods: 3 },
  };
  const { disruptionsAllowed, conditions } = failedStatus(before, "found no controllers", NOW);
  assert.deepEqual(
    [disruptionsAllowed, conditions?.[0]?.reason, conditions?.[0]?.message],
    [0, "SyncFailed", "found no controllers"],
  );
});

test("the time of a condition's last change stays while its status does", () => {
  const pods = [pod("a")];
  const first = budgetStatus(
    { metadata: { name: "b" } },
    { expectedPods: 1, desiredHealthy: 0 },
    {},
    { pods, now: 0 },
  );
  const again = budgetStatus(
    { metadata: { name: "b" }, status: first },
    { expectedPods: 1, desiredHealthy: 0 },
    {},
    { pods, now: NOW },
  );
  assert.deepEqual(again, first);
});

test("what a pod says of its end is stale after two minutes, unless the node itself said it", () => {
  const condition = (reason: string) => ({
    type: "DisruptionTarget",
    status: "True",
    reason,
    lastTransitionTime: "2026-01-01T00:09:00Z",
  });
  const saying = (reason: string, more: Partial<Pod["metadata"]> = {}): Pod => ({
    metadata: { name: "p", ...more },
    status: { conditions: [condition(reason)] },
  });
  assert.equal(staleInMs(saying("EvictionByEvictionAPI"), NOW), 60_000);
  assert.equal(staleInMs(saying("EvictionByEvictionAPI"), NOW + 300_000), 0);
  assert.equal(staleInMs(saying("TerminationByKubelet"), NOW), undefined);
  assert.equal(staleInMs(saying("x", { deletionTimestamp: "2026-01-01T00:00:00Z" }), NOW), undefined);
});
