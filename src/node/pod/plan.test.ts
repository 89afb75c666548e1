import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PodSpec } from "#kube/generated/types";
import { type Doing, podOf, SANDBOX, viewOf } from "../testing/views.ts";
import { planPod } from "./plan.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { nextAttempt } from "./view.ts";

const NOW = Date.parse("2026-01-02T03:04:05.000Z");
const two = { containers: [{ name: "a" }, { name: "b" }] };
const inits = { initContainers: [{ name: "i" }, { name: "j" }], containers: [{ name: "a" }] };
const sidecar = {
  initContainers: [{ name: "s", restartPolicy: "Always" }, { name: "i" }],
  containers: [{ name: "a" }],
};

function plan(
  spec: Partial<PodSpec>,
  doing: Record<string, Doing>,
  change: { sandbox?: "none" | "lost"; armed?: string; condemned?: string } = {},
) {
  const backoff = new RestartBackoff();
  if (change.armed) backoff.arm(change.armed, NOW, NOW);
  const view = viewOf(podOf(spec), doing);
  const sandbox = change.sandbox === "none" ? undefined : { ...SANDBOX, isReady: change.sandbox !== "lost" };
  const made = planPod(
    { ...view, sandbox },
    {
      now: NOW + 1_000,
      backoff,
      condemned: ({ spec: { name } }) => (name === change.condemned ? "liveness" : undefined),
      hashOf: () => "h",
    },
  );
  if (made.kind !== "run") return made.kind;
  return [
    ...made.start.map(({ spec: { name } }) => `start ${name}`),
    ...[...made.heldBack].map(([name, at]) => `hold ${name} ${at - NOW}`),
    ...made.kill.map(({ why }) => why),
  ].join(", ");
}

describe("what to do next for a pod", () => {
  const cases: readonly [Partial<PodSpec>, Record<string, Doing>, string, Parameters<typeof plan>[2]?][] = [
    [two, {}, "sandbox", { sandbox: "none" }],
    [two, {}, "start a, start b"],
    [two, { a: "run" }, "start b"],
    [two, { a: "run", b: "run" }, ""],
    [two, { a: 0, b: "run" }, "start a"],
    [two, { a: 1, b: "run" }, "hold a 10000", { armed: "a" }],
    [{ ...two, restartPolicy: "OnFailure" }, { a: 0, b: 1 }, "start b"],
    [{ ...two, restartPolicy: "Never" }, { a: 1, b: "run" }, ""],
    [{ ...two, restartPolicy: "Never" }, { a: 1, b: 0 }, "finish"],
    [two, { a: "run", b: "run" }, "sandbox", { sandbox: "lost" }],
    [{ ...two, restartPolicy: "Never" }, { a: 0, b: 0 }, "finish", { sandbox: "lost" }],
    [inits, {}, "start i"],
    [inits, { i: "run" }, ""],
    [inits, { i: 0 }, "start j"],
    [inits, { i: 1 }, "start i"],
    [{ ...inits, restartPolicy: "Never" }, { i: 1 }, "finish"],
    [inits, { i: 0, j: 0 }, "start a"],
    [inits, { i: 0, j: 0, a: 1 }, "start a"],
    [sidecar, {}, "start s"],
    [sidecar, { s: "unstarted" }, ""],
    [sidecar, { s: "run" }, "start i"],
    [sidecar, { s: "run", i: 0 }, "start a"],
    [sidecar, { s: 1, i: 0, a: "run" }, "start s"],
    [{ ...sidecar, restartPolicy: "Never" }, { s: "run", i: 0, a: 0 }, "finish"],
    [two, { a: "run", b: "run" }, "Container a failed liveness probe, will be restarted", { condemned: "a" }],
  ];
  for (const [spec, doing, want, change] of cases)
    test(`${spec.restartPolicy ?? "Always"} ${JSON.stringify(doing)} ${JSON.stringify(change ?? {})}: ${want || "nothing"}`, () =>
      assert.equal(plan(spec, doing, change), want));
});

test("restarts wait 0, 10, 20, 40 ... 300 seconds after the end, and a long good run forgets", () => {
  const backoff = new RestartBackoff();
  const waits: number[] = [];
  let at = 0;
  for (let round = 0; round < 8; round++) {
    const until = backoff.notBefore("c", at, at) ?? at;
    waits.push((until - at) / 1000);
    backoff.arm("c", at, until);
    at = until + 100;
  }
  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  assert.equal(backoff.notBefore("c", at + 700_000, at + 700_000), undefined);
});

describe("the next attempt's number", () => {
  const [never, running] = [viewOf(podOf(), {}).containers[0], viewOf(podOf(), { main: 1 }).containers[0]];
  assert.ok(never && running);
  const told = (restartCount: number) => ({
    ...podOf(),
    status: {
      containerStatuses: [
        { name: "main", image: "", imageID: "", ready: false, restartCount, containerID: "process://x" },
      ],
    },
  });
  test("is 0 at first", () => assert.equal(nextAttempt(never, podOf(), "/none"), 0));
  test("is one more than the last run's", () => assert.equal(nextAttempt(running, podOf(), "/none"), 1));
  test("goes on from what the API was told when the runs are lost", () =>
    assert.equal(nextAttempt(never, told(4), "/none"), 5));
});
