import type { ContainerState, ContainerStatus } from "#kube/generated/types";
import type { Run } from "../runtime/runtime.ts";
import { type ContainerView, isRunning } from "./run-view.ts";

const MAX_MESSAGES_BYTES = 12_288;

export interface StatusContext {
  /** The scheme of container IDs. */
  readonly runtime: string;
  readonly hasInitContainers: boolean;
  readonly containerCount: number;
  /** What the API last held, for counts and past runs that are no longer on this machine. */
  readonly before: ContainerStatus | undefined;
}

/** One entry of `containerStatuses`. */
export function containerStatus(view: ContainerView, context: StatusContext): ContainerStatus {
  const { spec, current, last } = view;
  const isWaiting = view.waiting !== undefined && !isRunning(view);
  const past = isWaiting ? current : last;
  const lastState = past?.exit
    ? { terminated: terminated(past, context) }
    : (context.before?.lastState ?? {});
  return {
    name: spec.name,
    state: stateOf(view, context),
    lastState,
    ready: isContainerReady(view),
    restartCount: Math.max(current?.attempt ?? 0, context.before?.restartCount ?? 0),
    image: current?.image ?? spec.image ?? "",
    imageID: current?.imageRef ?? "",
    ...(current ? { containerID: idOf(current, context) } : {}),
    started: view.kind === "init" ? false : isRunning(view) && view.isStarted,
    ...(spec.volumeMounts?.length ? { volumeMounts: volumeMounts(view) } : {}),
  };
}

export function isContainerReady(view: ContainerView): boolean {
  if (view.kind === "init") return view.current?.exit?.code === 0;
  return isRunning(view) && view.isStarted && view.isReady;
}

function stateOf(view: ContainerView, context: StatusContext): ContainerState {
  const { current, waiting } = view;
  if (current && !current.exit) return { running: { startedAt: seconds(current.startedAt) } };
  if (waiting)
    return { waiting: { reason: waiting.reason, ...(waiting.message ? { message: waiting.message } : {}) } };
  if (current) return { terminated: terminated(current, context) };
  return { waiting: { reason: context.hasInitContainers ? "PodInitializing" : "ContainerCreating" } };
}

function terminated(run: Run, context: StatusContext): NonNullable<ContainerState["terminated"]> {
  const { code = 0, reason = "", message = "", finishedAt = run.startedAt } = run.exit ?? {};
  const text = message.slice(0, Math.floor(MAX_MESSAGES_BYTES / Math.max(1, context.containerCount)));
  // A clock that steps back must not make a run end before it began.
  const end = [run.startedAt, finishedAt].sort().at(-1) ?? finishedAt;
  return {
    exitCode: code,
    reason,
    ...(text ? { message: text } : {}),
    startedAt: seconds(run.startedAt),
    finishedAt: seconds(end),
    containerID: idOf(run, context),
  };
}

function idOf(run: Run, { runtime }: StatusContext): string {
  return `${runtime}://${run.id}`;
}

function volumeMounts({ spec }: ContainerView): NonNullable<ContainerStatus["volumeMounts"]> {
  return (spec.volumeMounts ?? []).map(({ name, mountPath, readOnly }) => ({
    name,
    mountPath,
    ...(readOnly ? { readOnly, recursiveReadOnly: "Disabled" } : {}),
  }));
}

/** The API's times are whole seconds. */
export function seconds(time: string): string {
  return `${time.slice(0, 19)}Z`;
}
