import type { Pod, PodCondition } from "#kube/generated/types";
import { isContainerReady } from "./container-status.ts";
import { isTerminal, type Phase } from "./phase.ts";
import { isRunning, type PodView } from "./run-view.ts";

type Verdict = {
  readonly status: "True" | "False";
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
};

const OWN = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] as const;

/** Those that are there only while they are true. */
const PASSING = ["PodResizePending", "PodResizeInProgress"] as const;
const ANEW = "AllContainersRestarting";

/** Others say of a pod that it had to go, too: it is by this reason that the node knows its own word. */
const DISRUPTION = "DisruptionTarget";
const BY_NODE = "TerminationByKubelet";

/** Why a pod had to go for others. */
export interface Disruption {
  readonly message: string;
}

/** Whether it is the node that writes this condition, and nobody else. */
export function isOwnCondition({ type, reason }: Pick<PodCondition, "type" | "reason">): boolean {
  return (
    [...OWN, ...PASSING, ANEW].some((own) => own === type) || (type === DISRUPTION && reason === BY_NODE)
  );
}

/** The conditions that the node owns, in the order it writes them, with those that others wrote kept behind them. A time
 *  moves only when its status flips. @see kubelet status/generate.go */
export function podConditions(
  view: PodView,
  phase: Phase,
  {
    before,
    now,
    disruption,
  }: { before: readonly PodCondition[]; now: string; disruption?: Disruption | undefined },
): readonly PodCondition[] {
  const containersReady = readiness(view, phase);
  const own: readonly [string, Verdict][] = [
    ...disrupted(disruption, before),
    ["PodReadyToStartContainers", { status: view.sandbox?.isReady ? "True" : "False" }],
    ["Initialized", initialized(view, phase)],
    ["Ready", withGates(view.pod, containersReady, before)],
    ["ContainersReady", containersReady],
    ["PodScheduled", { status: "True" }],
    ...beginningAnew(view, phase),
    ...resizing(view, phase),
  ];
  const types = new Set(own.map(([type]) => type));
  return [
    ...own.map(([type, verdict]) => condition(type, verdict, { view, before, now })),
    ...before.filter((other) => !isOwnCondition(other) && !types.has(other.type)),
  ];
}

/** Only of pods that have a rule by which all begin anew. */
function beginningAnew({ pod, beginsAnew }: PodView, phase: Phase): readonly [string, Verdict][] {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const rules = all.flatMap(({ restartPolicyRules }) => restartPolicyRules ?? []);
  if (!rules.some(({ action }) => action === "RestartAllContainers")) return [];
  if (isTerminal(phase))
    return [[ANEW, { status: "False", reason: phase === "Failed" ? "PodFailed" : "PodCompleted" }]];
  const [reason, message] = ["RestartAllContainersStarted", "container exited with restart policy rule"];
  return [[ANEW, beginsAnew ? { status: "True", reason, message } : { status: "False" }]];
}

/** Once said it stays, as the pod does not come back. */
function disrupted(
  disruption: Disruption | undefined,
  before: readonly PodCondition[],
): readonly [string, Verdict][] {
  const said = before.find((other) => other.type === DISRUPTION && isOwnCondition(other));
  const why = disruption ?? said;
  return why ? [[DISRUPTION, { status: "True", reason: BY_NODE, message: why.message }]] : [];
}

function resizing(
  { containers, pendingResize }: PodView,
  phase: Phase,
): readonly [(typeof PASSING)[number], Verdict][] {
  if (isTerminal(phase)) return [];
  const isUnderWay = containers.some((view) => isRunning(view) && view.given !== undefined);
  return [
    ...(pendingResize ? [["PodResizePending", { status: "True", ...pendingResize }] as const] : []),
    ...(isUnderWay ? [["PodResizeInProgress", { status: "True" }] as const] : []),
  ].map(([type, verdict]): [(typeof PASSING)[number], Verdict] => [type, verdict]);
}

function condition(
  type: string,
  { status, reason, message }: Verdict,
  { view, before, now }: { view: PodView; before: readonly PodCondition[]; now: string },
): PodCondition {
  const old = before.find((other) => other.type === type);
  const generation = view.pod.metadata.generation;
  return {
    type,
    status,
    lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? now) : now,
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

function initialized({ containers }: PodView, phase: Phase): Verdict {
  if (phase === "Succeeded") return { status: "True", reason: "PodCompleted" };
  if (containers.some(({ kind, current }) => kind === "regular" && current)) return { status: "True" };
  const waiting = containers.filter((view) => {
    if (view.kind === "regular" || view.kind === "ephemeral") return false;
    return view.kind === "sidecar" ? !isRunning(view) || !view.isStarted : view.current?.exit?.code !== 0;
  });
  if (waiting.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${waiting.map(({ spec }) => spec.name).join(" ")}]`,
  };
}

function readiness({ containers }: PodView, phase: Phase): Verdict {
  if (isTerminal(phase))
    return { status: "False", reason: phase === "Failed" ? "PodFailed" : "PodCompleted" };
  const unready = containers.filter(
    (view) => (view.kind === "regular" || view.kind === "sidecar") && !isContainerReady(view),
  );
  if (unready.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: [${unready.map(({ spec }) => spec.name).join(" ")}]`,
  };
}

function withGates(pod: Pod, containersReady: Verdict, before: readonly PodCondition[]): Verdict {
  if (containersReady.status === "False") return containersReady;
  const complaints = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const gate = before.find(({ type }) => type === conditionType);
    if (!gate) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (gate.status === "True") return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`];
  });
  if (complaints.length === 0) return { status: "True" };
  return { status: "False", reason: "ReadinessGatesNotReady", message: complaints.join(", ") };
}
