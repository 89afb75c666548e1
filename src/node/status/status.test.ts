import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PodSpec, PodStatus } from "#kube/generated/types";
import { type Doing, podOf, runOf, viewOf } from "../testing/views.ts";
import { podConditions } from "./conditions.ts";
import { containerStatus } from "./container-status.ts";
import { type Phase, podPhase } from "./phase.ts";
import { podStatus } from "./pod-status.ts";
import { qosClass } from "./qos.ts";
import { covers, statusPatch } from "./status-writer.ts";

const NOW = Date.parse("2026-01-02T04:00:00Z");
const two = { containers: [{ name: "a" }, { name: "b" }] };
const init = { initContainers: [{ name: "i" }], containers: [{ name: "a" }] };
const sidecar = { initContainers: [{ name: "s", restartPolicy: "Always" }], containers: [{ name: "a" }] };

describe("phase", () => {
  const cases: readonly {
    spec: Partial<PodSpec>;
    doing: Record<string, Doing>;
    ends?: boolean;
    want: Phase;
  }[] = [
    { spec: two, doing: {}, want: "Pending" },
    { spec: two, doing: { a: "run" }, want: "Pending" },
    { spec: two, doing: { a: "run", b: "run" }, want: "Running" },
    { spec: two, doing: { a: "run", b: 1 }, want: "Running" },
    { spec: two, doing: { a: 0, b: 0 }, want: "Running" },
    { spec: two, doing: { a: "waiting CrashLoopBackOff", b: "run" }, want: "Running" },
    { spec: two, doing: { a: "waiting CrashLoopBackOff", b: 1 }, want: "Running" },
    { spec: { ...two, restartPolicy: "Never" }, doing: { a: 0, b: 0 }, want: "Succeeded" },
    { spec: { ...two, restartPolicy: "Never" }, doing: { a: 0, b: 1 }, want: "Failed" },
    { spec: { ...two, restartPolicy: "Never" }, doing: { a: 1, b: "run" }, want: "Running" },
    { spec: { ...two, restartPolicy: "OnFailure" }, doing: { a: 0, b: 0 }, want: "Succeeded" },
    { spec: { ...two, restartPolicy: "OnFailure" }, doing: { a: 0, b: 1 }, want: "Running" },
    { spec: init, doing: {}, want: "Pending" },
    { spec: init, doing: { i: "run" }, want: "Pending" },
    { spec: init, doing: { i: 1 }, want: "Pending" },
    { spec: { ...init, restartPolicy: "Never" }, doing: { i: 1 }, want: "Failed" },
    { spec: init, doing: { i: 0, a: "run" }, want: "Running" },
    { spec: sidecar, doing: { s: "unstarted" }, want: "Pending" },
    { spec: { ...sidecar, restartPolicy: "Never" }, doing: { s: "run", a: 0 }, want: "Succeeded" },
    { spec: { ...sidecar, restartPolicy: "Never" }, doing: { s: 137, a: 0 }, want: "Succeeded" },
    { spec: two, doing: { a: 0, b: 0 }, ends: true, want: "Succeeded" },
    { spec: two, doing: { a: 0, b: 137 }, ends: true, want: "Failed" },
    { spec: two, doing: {}, ends: true, want: "Failed" },
    { spec: two, doing: { a: 0, b: "run" }, ends: true, want: "Failed" },
  ];
  for (const { spec, doing, ends = false, want } of cases)
    test(`${spec.restartPolicy ?? "Always"} ${JSON.stringify(doing)}${ends ? ", ending" : ""}: ${want}`, () =>
      assert.equal(podPhase(viewOf(podOf(spec), doing), { isTerminating: ends }), want));
});

describe("conditions", () => {
  const now = "2026-01-02T04:00:00Z";
  const of = (
    spec: Partial<PodSpec>,
    doing: Record<string, Doing>,
    phase: Phase,
    before: PodStatus["conditions"] = [],
  ) =>
    podConditions(viewOf(podOf(spec), doing), phase, { before: before ?? [], now }).map(
      ({ type, status, reason, message }) =>
        [type, status, reason, message].filter((part) => part !== undefined).join(" "),
    );

  test("a ready pod", () =>
    assert.deepEqual(of(two, { a: "ready", b: "ready" }, "Running"), [
      "PodReadyToStartContainers True",
      "Initialized True",
      "Ready True",
      "ContainersReady True",
      "PodScheduled True",
    ]));
  test("an unready container is named", () =>
    assert.equal(
      of(two, { a: "ready", b: "run" }, "Running")[2],
      "Ready False ContainersNotReady containers with unready status: [b]",
    ));
  test("init containers that are not done are named", () =>
    assert.equal(
      of(init, { i: "run" }, "Pending")[1],
      "Initialized False ContainersNotInitialized containers with incomplete status: [i]",
    ));
  test("a finished pod", () =>
    assert.deepEqual(of({ ...two, restartPolicy: "Never" }, { a: 0, b: 0 }, "Succeeded").slice(1, 4), [
      "Initialized True PodCompleted",
      "Ready False PodCompleted",
      "ContainersReady False PodCompleted",
    ]));
  test("readiness gates are others' word", () => {
    const spec = { ...two, readinessGates: [{ conditionType: "x/lb" }] };
    const doing = { a: "ready", b: "ready" } as const;
    assert.match(
      of(spec, doing, "Running")[2] ?? "",
      /^Ready False ReadinessGatesNotReady corresponding condition/,
    );
    const gate = { type: "x/lb", status: "True" };
    assert.deepEqual(of(spec, doing, "Running", [gate]).slice(2), [
      "Ready True",
      "ContainersReady True",
      "PodScheduled True",
      "x/lb True",
    ]);
  });
  test("why a pod had to go stays said, whatever others say", () => {
    const disrupted = (before: PodStatus["conditions"], disruption?: { message: string }) =>
      podConditions(viewOf(podOf(), {}), "Failed", { before: before ?? [], now, disruption })
        .filter(({ type }) => type === "DisruptionTarget")
        .map(({ reason, message }) => `${reason} ${message}`);
    const own = {
      type: "DisruptionTarget",
      status: "True",
      reason: "TerminationByKubelet",
      message: "short",
    };
    const other = { ...own, reason: "EvictionByEvictionAPI", message: "asked" };
    assert.deepEqual(disrupted([other]), ["EvictionByEvictionAPI asked"]);
    assert.deepEqual(disrupted([other], { message: "short" }), ["TerminationByKubelet short"]);
    assert.deepEqual(disrupted([own]), ["TerminationByKubelet short"]);
  });
  test("a pod with a rule by which all begin anew says whether they do", () => {
    const rules = [{ action: "RestartAllContainers", exitCodes: { operator: "In", values: [7] } }];
    const spec = { containers: [{ name: "a", restartPolicy: "Never", restartPolicyRules: rules }] };
    const anew = (beginsAnew: boolean, phase: Phase) =>
      podConditions({ ...viewOf(podOf(spec), { a: "run" }), beginsAnew }, phase, { before: [], now })
        .filter(({ type }) => type === "AllContainersRestarting")
        .map(({ status, reason }) => `${status} ${reason}`);
    assert.deepEqual(anew(false, "Running"), ["False undefined"]);
    assert.deepEqual(anew(true, "Running"), ["True RestartAllContainersStarted"]);
    assert.deepEqual(anew(false, "Failed"), ["False PodFailed"]);
  });
  test("times move only when the status does", () => {
    const before = [
      { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" },
      { type: "ContainersReady", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" },
    ];
    const made = podConditions(viewOf(podOf(), { main: "ready" }), "Running", { before, now });
    const time = (type: string) => made.find((one) => one.type === type)?.lastTransitionTime;
    assert.deepEqual([time("Ready"), time("ContainersReady")], ["2026-01-01T00:00:00Z", now]);
  });
});

describe("container status", () => {
  const context = {
    ...{ runtime: "process", hasInitContainers: false, containerCount: 1, before: undefined },
    ...{ hasBegun: true, isDeleted: false },
  };
  const only = (doing: Doing) => {
    const [view] = viewOf(podOf(), { main: doing }).containers;
    assert.ok(view);
    return view;
  };
  test("waiting for its first start", () =>
    assert.deepEqual(containerStatus(only("-"), context).state, {
      waiting: { reason: "ContainerCreating" },
    }));
  test("waiting for init containers", () =>
    assert.deepEqual(containerStatus(only("-"), { ...context, hasInitContainers: true }).state, {
      waiting: { reason: "PodInitializing" },
    }));
  test("running", () => {
    const status = containerStatus(only("ready"), context);
    assert.deepEqual(
      [status.state, status.ready, status.started, status.containerID],
      [{ running: { startedAt: "2026-01-02T03:04:05Z" } }, true, true, "process://main-id"],
    );
  });
  test("held back after a crash, the run it had is the last state", () => {
    const status = containerStatus(only("waiting CrashLoopBackOff"), context);
    assert.equal(status.state?.waiting?.reason, "CrashLoopBackOff");
    assert.equal(status.lastState?.terminated?.exitCode, 1);
  });
  test("a clock that stepped back does not end a run before its start", () => {
    const run = runOf("main", 0, { startedAt: "2026-01-02T03:04:06.000Z" });
    const status = containerStatus({ ...only(0), current: run }, context);
    assert.equal(status.state?.terminated?.finishedAt, "2026-01-02T03:04:06Z");
  });
  test("restarts told before the runs were lost still count", () => {
    const before = { ...containerStatus(only("run"), context), restartCount: 5 };
    assert.equal(containerStatus(only("run"), { ...context, before }).restartCount, 5);
  });
});

describe("the whole status", () => {
  const make = (doing: Doing, before: PodStatus = {}, isTerminating = false) =>
    podStatus(viewOf(podOf(), { main: doing }), {
      before,
      runtime: "process",
      hostIps: ["192.0.2.1"],
      isTerminating,
      now: NOW,
    });
  test("ends for good, whatever was not heard of", () => {
    const { phase, containerStatuses } = make("run", {}, true);
    assert.equal(phase, "Failed");
    assert.equal(containerStatuses?.[0]?.state?.terminated?.reason, "ContainerStatusUnknown");
  });
  test("keeps its start time and a terminal phase", () => {
    const before: PodStatus = { phase: "Failed", reason: "Evicted", startTime: "2026-01-01T00:00:00Z" };
    const { phase, reason, startTime } = make("run", before);
    assert.deepEqual([phase, reason, startTime], ["Failed", "Evicted", "2026-01-01T00:00:00Z"]);
  });
  test("says where the pod is", () => {
    const { hostIP, hostIPs, startTime, qosClass: qos, observedGeneration } = make("run");
    assert.deepEqual(
      [hostIP, hostIPs, startTime, qos, observedGeneration],
      ["192.0.2.1", [{ ip: "192.0.2.1" }], "2026-01-02T04:00:00Z", "BestEffort", 3],
    );
  });
});

describe("quality of service", () => {
  const both = { cpu: "1", memory: "1Gi" };
  const cases: readonly [string, object[], string][] = [
    ["nothing asked", [{}], "BestEffort"],
    ["all limits", [{ limits: both }], "Guaranteed"],
    [
      "equal spelled differently",
      [{ limits: both, requests: { cpu: "1000m", memory: "1024Mi" } }],
      "Guaranteed",
    ],
    ["one of two without", [{ limits: both }, {}], "Burstable"],
    ["requests only", [{ requests: both }], "Burstable"],
    ["less than the limit", [{ limits: both, requests: { cpu: "1", memory: "1Mi" } }], "Burstable"],
  ];
  for (const [name, resources, want] of cases)
    test(`${name}: ${want}`, () => {
      const containers = resources.map((each, i) => ({ name: `c${i}`, resources: each }));
      assert.equal(qosClass({ containers }), want);
    });
});

describe("what is written to the API", () => {
  test("old addresses go by their key, vanished fields by null, others' conditions not at all", () => {
    const status: PodStatus = {
      phase: "Running",
      podIP: "10.42.0.6",
      podIPs: [{ ip: "10.42.0.6" }],
      conditions: [
        { type: "Ready", status: "True" },
        { type: "x/lb", status: "True" },
      ],
    };
    const known: PodStatus = {
      phase: "Failed",
      reason: "x",
      podIP: "10.42.0.5",
      podIPs: [{ ip: "10.42.0.5" }],
    };
    assert.deepEqual(statusPatch(status, known), {
      phase: "Running",
      reason: null,
      podIP: "10.42.0.6",
      podIPs: [{ ip: "10.42.0.6" }, { ip: "10.42.0.5", $patch: "delete" }],
      conditions: [{ type: "Ready", status: "True" }],
    });
  });
  test("takes back the reason of a condition that has none any more", () => {
    const of = (more: object) => ({ conditions: [{ type: "Ready", status: "True", ...more }] });
    const known = of({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [a]",
    });
    assert.deepEqual(statusPatch(of({}), known), of({ reason: null, message: null }));
    assert.deepEqual(
      statusPatch(of({ reason: "PodCompleted" }), known),
      of({ reason: "PodCompleted", message: null }),
    );
  });
  const status: PodStatus = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  const comparisons: readonly [string, PodStatus, boolean][] = [
    ["the same", status, true],
    [
      "more conditions",
      { ...status, conditions: [...(status.conditions ?? []), { type: "x", status: "False" }] },
      true,
    ],
    ["another phase", { ...status, phase: "Pending" }, false],
    ["Ready taken away", { ...status, conditions: [{ type: "Ready", status: "False" }] }, false],
    ["a reason we do not give", { ...status, reason: "NodeLost" }, false],
    ["nothing", {}, false],
  ];
  for (const [name, known, want] of comparisons)
    test(`an API that says ${name} ${want ? "needs no write" : "is written to"}`, () =>
      assert.equal(covers(known, status), want));
});
