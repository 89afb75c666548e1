import { hasFailedForGood } from "../status/phase.ts";
import { restartsAfter, restartsAll } from "../status/restart-policy.ts";
import { type ContainerView, isRunning, type PodView } from "../status/run-view.ts";
import type { RestartBackoff } from "./restart-backoff.ts";

/** Why a container that runs is ended before its pod. */
export type KillReason = "liveness" | "startup" | "definition" | "resize";

export interface Kill {
  readonly view: ContainerView;
  readonly reason: KillReason;
  readonly why: string;
}

/** What to do next for a pod that is not ending. */
export type PodPlan =
  /** Nothing will run again: stop what is left (sidecars) and tell the final phase. */
  | { readonly kind: "finish" }
  /** Make the sandbox first; what still runs belonged to one that is gone. */
  | { readonly kind: "sandbox" }
  /** A container has ended in the way that makes all begin anew, init containers first. */
  | { readonly kind: "anew"; readonly because: string }
  | {
      readonly kind: "run";
      /** In this order. */
      readonly start: readonly ContainerView[];
      /** Held back after a crash: until when, in milliseconds since the epoch. */
      readonly heldBack: ReadonlyMap<string, number>;
      readonly kill: readonly Kill[];
    };

export interface PlanContext {
  readonly now: number;
  readonly backoff: RestartBackoff;
  /** A probe that condemned a running container. */
  readonly condemned: (view: ContainerView) => "liveness" | "startup" | undefined;
  readonly hashOf: (view: ContainerView) => string;
  /** Whether new limits are due that the container wants to be restarted for. */
  readonly needsRestart?: (view: ContainerView) => boolean;
}

/** Compares the pod's containers with what runs, and says what to do. Total, and without effects. */
export function planPod(view: PodView, context: PlanContext): PodPlan {
  const { pod, containers, sandbox } = view;
  const anew = containers.find((one) => one.current?.exit && restartsAll(one, one.current.exit.code));
  if (anew && sandbox?.isReady) return { kind: "anew", because: anew.spec.name };
  const regular = containers.filter(({ kind }) => kind === "regular");
  const isOver =
    regular.every((one) => endedForGood(one, pod)) ||
    containers.some((one) => one.kind === "init" && hasFailedForGood(one, pod));
  if (isOver) return { kind: "finish" };
  if (!sandbox?.isReady) return { kind: "sandbox" };
  const start: ContainerView[] = [];
  const heldBack = new Map<string, number>();
  for (const one of dueContainers(view)) {
    if (!needsStart(one, pod)) continue;
    const at = heldBackUntil(one, context);
    if (at === undefined) start.push(one);
    else heldBack.set(one.spec.name, at);
  }
  return { kind: "run", start, heldBack, kill: containers.flatMap((one) => condemn(one, pod, context)) };
}

/** Ephemeral containers at once; init containers up to the first that is not done; all others once they are. */
function dueContainers({ containers }: PodView): readonly ContainerView[] {
  const of = (...kinds: readonly string[]) => containers.filter(({ kind }) => kinds.includes(kind));
  const due = [...of("ephemeral")];
  const regular = of("regular");
  if (regular.some(({ current }) => current)) return [...due, ...of("sidecar"), ...regular];
  for (const one of of("init", "sidecar")) {
    due.push(one);
    const isDone = one.kind === "sidecar" ? isRunning(one) && one.isStarted : one.current?.exit?.code === 0;
    if (!isDone) return due;
  }
  return [...due, ...regular];
}

function needsStart(one: ContainerView, pod: PodView["pod"]): boolean {
  if (!one.current) return one.kind !== "ephemeral" || !hasEnded(one, pod);
  const { exit } = one.current;
  return exit !== undefined && restartsAfter(one, pod, exit.code);
}

/** An ephemeral container's only run may be one that this machine no longer knows. */
function hasEnded({ spec, last }: ContainerView, { status }: PodView["pod"]): boolean {
  const told = status?.ephemeralContainerStatuses?.find(({ name }) => name === spec.name);
  return last !== undefined || told?.state?.terminated !== undefined || told?.state?.running !== undefined;
}

function endedForGood(one: ContainerView, pod: PodView["pod"]): boolean {
  const exit = one.current?.exit;
  return exit !== undefined && !restartsAfter(one, pod, exit.code);
}

function heldBackUntil({ spec, current }: ContainerView, { backoff, now }: PlanContext): number | undefined {
  if (!current?.exit) return undefined;
  return backoff.notBefore(spec.name, Date.parse(current.exit.finishedAt), now);
}

function condemn(view: ContainerView, pod: PodView["pod"], context: PlanContext): readonly Kill[] {
  if (!isRunning(view)) return [];
  const { name } = view.spec;
  const probe = context.condemned(view);
  const will = (isRestarted: boolean) => (isRestarted ? ", will be restarted" : "");
  if (probe) {
    const isRestarted = restartsAfter(view, pod, KILLED);
    return [{ view, reason: probe, why: `Container ${name} failed ${probe} probe${will(isRestarted)}` }];
  }
  if (view.kind === "ephemeral") return [];
  if (context.needsRestart?.(view))
    return [{ view, reason: "resize", why: `Container ${name} resize requires restart` }];
  if (view.current?.hash === context.hashOf(view)) return [];
  return [{ view, reason: "definition", why: `Container ${name} definition changed${will(true)}` }];
}

/** The exit code of a program that a signal ended, as far as it is known before. */
const KILLED = 137;
