import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#kube/generated/types";
import { formatTime } from "../time.ts";
import { chooseVictims } from "./victims.ts";

const now = Date.parse("2026-01-01T12:00:00Z");

interface Shape {
  readonly node?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly cost?: string;
  readonly readyForSeconds?: number;
  readonly restarts?: number;
  readonly ageSeconds?: number;
}

function podOf(name: string, shape: Shape): Pod {
  const {
    node = "n",
    phase = "Running",
    ready = true,
    cost,
    readyForSeconds = 60,
    restarts = 0,
    ageSeconds = 60,
  } = shape;
  const status = ready ? "True" : "False";
  const lastTransitionTime = formatTime(now - readyForSeconds * 1000);
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: formatTime(now - ageSeconds * 1000),
      ...(cost ? { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } } : {}),
    },
    spec: { nodeName: node, containers: [] },
    status: {
      phase,
      conditions: [{ type: "Ready", status, lastTransitionTime }],
      containerStatuses: [{ name: "c", image: "", imageID: "", ready, restartCount: restarts }],
    },
  };
}

const cases: readonly { name: string; goes: Shape; stays: Shape }[] = [
  { name: "unassigned before assigned", goes: { node: "" }, stays: { phase: "Pending", ready: false } },
  { name: "pending before running", goes: { phase: "Pending" }, stays: { ready: false } },
  { name: "not ready before ready", goes: { ready: false }, stays: { cost: "-5" } },
  { name: "cheaper first", goes: { cost: "-5" }, stays: { cost: "3", node: "crowded" } },
  { name: "a malformed cost is zero", goes: { cost: "-1" }, stays: { cost: "05" } },
  {
    name: "crowded node first",
    goes: { node: "crowded", readyForSeconds: 900 },
    stays: { readyForSeconds: 1 },
  },
  { name: "shorter ready first", goes: { readyForSeconds: 2 }, stays: { readyForSeconds: 600, restarts: 9 } },
  { name: "more restarts first", goes: { restarts: 3, ageSeconds: 900 }, stays: { ageSeconds: 1 } },
  { name: "younger first", goes: { ageSeconds: 5 }, stays: { ageSeconds: 900 } },
];

for (const { name, goes, stays } of cases) {
  test(name, () => {
    const siblings = new Map([["crowded", 3]]);
    const pods = [podOf("a-stays", stays), podOf("b-goes", goes)];
    const [victim] = chooseVictims(pods, 1, { siblings, now });
    assert.equal(victim?.metadata.name, "b-goes");
  });
}
