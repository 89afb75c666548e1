import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "#kube/generated/types";
import { type Doing, podOf, viewOf } from "../testing/views.ts";
import { podStatus } from "./pod-status.ts";
import { withoutWaits } from "./run-view.ts";

function ended(doing: Readonly<Record<string, Doing>>, before: PodStatus = {}): PodStatus {
  const pod = podOf({ containers: [{ name: "a" }, { name: "b" }] });
  return podStatus(withoutWaits(viewOf(pod, doing)), {
    ...{ before, runtime: "process", hostIps: ["192.0.2.1"], isTerminating: true },
    now: Date.parse("2026-01-02T04:00:00Z"),
  });
}

test("of a pod that ended, a container that waited for its next run shows how the last one ended", () => {
  const { phase, containerStatuses = [] } = ended({ a: 0, b: "waiting CrashLoopBackOff" });
  assert.equal(phase, "Failed");
  assert.deepEqual(
    containerStatuses.map(({ state }) => [state?.terminated?.exitCode, state?.terminated?.reason]),
    [
      [0, "Completed"],
      [1, "Error"],
    ],
  );
});

test("a pod that ended before it ran is unready for the reasons it had, however often that is told", () => {
  const once = ended({});
  const twice = ended({}, once);
  for (const { phase, conditions, containerStatuses } of [once, twice]) {
    const ready = conditions?.find(({ type }) => type === "Ready");
    assert.deepEqual([phase, ready?.status, ready?.reason], ["Failed", "False", "ContainersNotReady"]);
    const [first] = containerStatuses ?? [];
    assert.deepEqual([first?.state?.terminated?.exitCode, first?.lastState], [137, {}]);
  }
});
