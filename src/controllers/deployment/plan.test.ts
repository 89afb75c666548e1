import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Deployment, ReplicaSet } from "#kube/generated/types";
import {
  DESIRED_REPLICAS,
  type Family,
  fencesOf,
  MAX_REPLICAS,
  REVISION,
  type Resize,
  revisionOf,
} from "./model.ts";
import { draftReplicaSet } from "./replica-set.ts";
import { planCleanUp, planRecreate, planRollingUpdate } from "./roll-out.ts";
import { isScalingEvent, planScale } from "./scale.ts";

interface Shape {
  readonly replicas: number;
  readonly maxSurge?: number | string;
  readonly maxUnavailable?: number | string;
}

function deploymentOf({ replicas, maxSurge = "25%", maxUnavailable = "25%" }: Shape): Deployment {
  return {
    metadata: { name: "web", namespace: "default", uid: "web-uid" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
      template: {},
    },
  };
}

/** `size/available`, such as `4/3`. */
function setOf(name: string, text: string, annotations: Record<string, string> = {}): ReplicaSet {
  const [size = 0, available = size] = text.split("/").map(Number);
  return {
    metadata: { name, namespace: "default", annotations, generation: 1 },
    spec: { replicas: size, selector: {} },
    status: { replicas: size, availableReplicas: available, observedGeneration: 1 },
  };
}

function formatSteps(steps: readonly Resize[]): string {
  return steps.map(({ replicaSet, to }) => `${replicaSet.metadata.name}=${to}`).join(" ");
}

describe("surge up, unavailable down", () => {
  const cases: readonly (readonly [Shape, surge: number, unavailable: number])[] = [
    [{ replicas: 10 }, 3, 2],
    [{ replicas: 1 }, 1, 0],
    [{ replicas: 4, maxSurge: 0, maxUnavailable: "10%" }, 0, 1],
    [{ replicas: 2, maxSurge: 1, maxUnavailable: 5 }, 1, 2],
    [{ replicas: 0 }, 0, 0],
    [{ replicas: 3, maxSurge: "100%", maxUnavailable: "0%" }, 3, 0],
  ];
  for (const [shape, surge, unavailable] of cases)
    test(JSON.stringify(shape), () =>
      assert.deepEqual(fencesOf(deploymentOf(shape)), { surge, unavailable }),
    );
});

describe("rolling update, one step", () => {
  const cases: readonly {
    name: string;
    shape: Shape;
    newest: string;
    old: readonly string[];
    steps: string;
  }[] = [
    { name: "starts by surging", shape: { replicas: 10 }, newest: "0", old: ["10"], steps: "new=3" },
    {
      name: "then takes what may be unavailable",
      shape: { replicas: 10 },
      newest: "3/0",
      old: ["10"],
      steps: "old0=8",
    },
    { name: "waits while nothing new is up", shape: { replicas: 10 }, newest: "5/0", old: ["8"], steps: "" },
    { name: "goes on with what is up", shape: { replicas: 10 }, newest: "5/5", old: ["8"], steps: "old0=3" },
    { name: "grows into the room", shape: { replicas: 10 }, newest: "5/5", old: ["3"], steps: "new=10" },
    { name: "ends", shape: { replicas: 10 }, newest: "10/10", old: ["3"], steps: "old0=0" },
    { name: "has nothing to do", shape: { replicas: 10 }, newest: "10/10", old: ["0"], steps: "" },
    {
      name: "shrinks a new one that is too large",
      shape: { replicas: 3 },
      newest: "5/5",
      old: [],
      steps: "new=3",
    },
    {
      name: "takes broken old pods first",
      shape: { replicas: 10 },
      newest: "3/0",
      old: ["5/5", "5/1"],
      steps: "old1=3",
    },
    {
      name: "one replica: surge before removal",
      shape: { replicas: 1 },
      newest: "1/0",
      old: ["1"],
      steps: "",
    },
    {
      name: "one replica: removal after",
      shape: { replicas: 1 },
      newest: "1/1",
      old: ["1"],
      steps: "old0=0",
    },
    {
      name: "no surge: room first",
      shape: { replicas: 4, maxSurge: 0, maxUnavailable: 1 },
      newest: "0",
      old: ["4"],
      steps: "old0=3",
    },
  ];
  for (const { name, shape, newest, old, steps } of cases) {
    test(name, () => {
      const family = {
        deployment: deploymentOf(shape),
        newest: setOf("new", newest),
        old: old.map((text, i) => setOf(`old${i}`, text)),
      };
      assert.equal(formatSteps(planRollingUpdate(family)), steps);
    });
  }
});

test("Recreate: all old ones to zero, then nothing while a pod is left, then all new ones", () => {
  const deployment = deploymentOf({ replicas: 3 });
  const newest = setOf("new", "0");
  assert.equal(formatSteps(planRecreate({ deployment, newest, old: [setOf("old", "3")] }, 3)), "old=0");
  assert.equal(formatSteps(planRecreate({ deployment, newest, old: [setOf("old", "0")] }, 1)), "");
  assert.equal(formatSteps(planRecreate({ deployment, newest, old: [setOf("old", "0")] }, 0)), "new=3");
});

describe("scaling in the middle of a roll-out", () => {
  const sized = (wanted: number, most: number) => ({
    [DESIRED_REPLICAS]: `${wanted}`,
    [MAX_REPLICAS]: `${most}`,
  });
  const cases: readonly { name: string; family: Family; steps: string }[] = [
    {
      name: "each gets its share (the conformance test's numbers)",
      family: {
        deployment: deploymentOf({ replicas: 30, maxSurge: 3, maxUnavailable: 2 }),
        newest: setOf("new", "5/0", sized(10, 13)),
        old: [setOf("old", "8/8", sized(10, 13))],
      },
      steps: "old=20 new=13",
    },
    {
      name: "down again",
      family: {
        deployment: deploymentOf({ replicas: 5, maxSurge: 3, maxUnavailable: 2 }),
        newest: setOf("new", "5/0", sized(10, 13)),
        old: [setOf("old", "8/8", sized(10, 13))],
      },
      steps: "old=5 new=3",
    },
    {
      name: "only one has pods",
      family: {
        deployment: deploymentOf({ replicas: 4 }),
        newest: setOf("new", "2", sized(2, 3)),
        old: [setOf("old", "0")],
      },
      steps: "new=4",
    },
    {
      name: "to zero",
      family: {
        deployment: deploymentOf({ replicas: 0 }),
        newest: setOf("new", "2/0", sized(4, 5)),
        old: [setOf("old", "3", sized(4, 5))],
      },
      steps: "old=0 new=0",
    },
  ];
  for (const { name, family, steps } of cases) {
    test(name, () => {
      assert.ok(isScalingEvent(family));
      assert.equal(formatSteps(planScale(family)), steps);
    });
  }
});

test("history keeps the highest revisions, and never a set that still has pods", () => {
  const spec = deploymentOf({ replicas: 1 }).spec;
  const deployment = {
    metadata: { name: "web" },
    ...(spec ? { spec: { ...spec, revisionHistoryLimit: 2 } } : {}),
  };
  const old = ["0", "0", "1", "0"].map((size, i) => setOf(`r${i + 1}`, size, { [REVISION]: String(i + 1) }));
  const gone = planCleanUp({ deployment, newest: undefined, old });
  assert.deepEqual(
    gone.map(({ metadata }) => metadata.name),
    ["r1", "r2"],
  );
});

test("revisions have 64 bits", () => {
  const old = [setOf("web-1", "1", { [REVISION]: "3546343826724305832" })];
  const made = draftReplicaSet(
    { deployment: deploymentOf({ replicas: 1 }), newest: undefined, old },
    undefined,
  );
  assert.equal(made.metadata.annotations?.[REVISION], "3546343826724305833");
  assert.equal(revisionOf(setOf("web-2", "1", { [REVISION]: "none" })), 0n);
});
