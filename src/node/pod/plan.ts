import { hasFailedForGood } from "../status/phase.ts";
import {
  type ContainerView,
  isRunning,
  type PodView,
  restartPolicyOf,
  restarts,
} from "../status/run-view.ts";
import type { RestartBackoff } from "./restart-backoff.ts";

/** What to do next for a pod that is not ending. */
export type PodPlan =
  /** Nothing will run again: stop what is left (sidecars) and tell the final phase. */
  | { readonly kind: "finish" }
  /** Make the sandbox first; what still runs belonged to one that is gone. */
  | { readonly kind: "sandbox" }
  | {
      readonly kind: "run";
      /** In this order. */
      readonly start: readonly ContainerView[];
      /** Held back after a crash: until when, in milliseconds since the epoch. */
      readonly heldBack: ReadonlyMap<string, number>;
      readonly kill: readonly { readonly view: ContainerView; readonly why: string }[];
    };

export interface PlanContext {
  readonly now: number;
  readonly backoff: RestartBackoff;
  /** A probe that condemned a running container. */
  readonly condemned: (view: ContainerView) => "liveness" | "startup" | undefined;
  readonly hashOf: (view: ContainerView) => string;
}

/** Compares the pod's containers with what runs, and says what to do. Total, and without effects. */
export function planPod(view: PodView, context: PlanContext): PodPlan {
  const { pod, containers, sandbox } = view;
  const regular = containers.filter(({ kind }) => kind === "regular");
  const isOver =
    regular.every((one) => endedForGood(one, pod)) ||
    containers.some((one) => one.kind === "init" && hasFailedForGood(one, pod));
  if (isOver) return { kind: "finish" };
  if (!sandbox?.isReady) return { kind: "sandbox" };
  const start: ContainerView[] = [];
  const heldBack = new Map<string, number>();
  const consider = (one: ContainerView) => {
    const at = heldBackUntil(one, context);
    if (at === undefined) start.push(one);
    else heldBack.set(one.spec.name, at);
  };
  const due = dueContainers(view);
  for (const one of due) if (needsStart(one, pod)) consider(one);
  return { kind: "run", start, heldBack, kill: containers.flatMap((one) => condemn(one, context)) };
}

/** Init containers up to the first that is not done; all others once they are. */
function dueContainers({ containers }: PodView): readonly ContainerView[] {
  const regular = containers.filter(({ kind }) => kind === "regular");
  const before = containers.filter(({ kind }) => kind !== "regular");
  if (regular.some(({ current }) => current))
    return [...before.filter(({ kind }) => kind === "sidecar"), ...regular];
  const due: ContainerView[] = [];
  for (const one of before) {
    due.push(one);
    const isDone = one.kind === "sidecar" ? isRunning(one) && one.isStarted : one.current?.exit?.code === 0;
    if (!isDone) return due;
  }
  return [...due, ...regular];
}

function needsStart(one: ContainerView, pod: PodView["pod"]): boolean {
  if (!one.current) return true;
  const { exit } = one.current;
  return exit !== undefined && restarts(restartPolicyOf(one, pod), exit.code);
}

function endedForGood(one: ContainerView, pod: PodView["pod"]): boolean {
  const exit = one.current?.exit;
  return exit !== undefined && !restarts(restartPolicyOf(one, pod), exit.code);
}

function heldBackUntil({ spec, current }: ContainerView, { backoff, now }: PlanContext): number | undefined {
  if (!current?.exit) return undefined;
  return backoff.notBefore(spec.name, Date.parse(current.exit.finishedAt), now);
}

function condemn(
  view: ContainerView,
  { condemned, hashOf }: PlanContext,
): { view: ContainerView; why: string }[] {
  if (!isRunning(view)) return [];
  const name = view.spec.name;
  const probe = condemned(view);
  if (probe) return [{ view, why: `Container ${name} failed ${probe} probe, will be restarted` }];
  if (view.current?.hash !== hashOf(view))
    return [{ view, why: `Container ${name} definition changed, will be restarted` }];
  return [];
}
