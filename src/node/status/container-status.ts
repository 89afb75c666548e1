import type { ContainerState, ContainerStatus } from "#kube/generated/types";
import type { Run } from "../runtime/runtime.ts";
import { type ContainerView, isRunning } from "./run-view.ts";

const MAX_MESSAGES_BYTES = 12_288;

export interface StatusContext {
  /** The scheme of container IDs. */
  readonly runtime: string;
  readonly hasInitContainers: boolean;
  /** Whether mounts can be read-only with all that is mounted below them. */
  readonly canReadOnlyBelow?: boolean | undefined;
  readonly containerCount: number;
  /** Whether any regular container has been started. */
  readonly hasBegun: boolean;
  /** Whether the pod's deletion was asked for. */
  readonly isDeleted: boolean;
  /** What the API last held, for counts and past runs that are no longer on this machine. */
  readonly before: ContainerStatus | undefined;
}

/** One entry of `containerStatuses`. @see kubelet_pods.go convertToAPIContainerStatuses */
export function containerStatus(view: ContainerView, context: StatusContext): ContainerStatus {
  const { spec, current, last } = view;
  if (!current && !last) return unknownStatus(view, context);
  const isWaiting = view.waiting !== undefined && !isRunning(view);
  const past = isWaiting ? (current ?? last) : last;
  const lastState = past?.exit
    ? { terminated: terminated(past, context) }
    : (context.before?.lastState ?? {});
  return {
    ...common(view, context),
    state: stateOf(view, context),
    lastState,
    restartCount: Math.max(current?.attempt ?? 0, context.before?.restartCount ?? 0),
    image: current?.image ?? spec.image ?? "",
    imageID: current?.imageRef ?? "",
    ...(current ? { containerID: idOf(current, context), ...resourcesOf(view) } : {}),
    ...(current?.user ? { user: { linux: current.user } } : {}),
  };
}

/** Of a container without any run here: it never ran, or this machine has lost its memory. */
function unknownStatus(view: ContainerView, context: StatusContext): ContainerStatus {
  const { before } = context;
  if (before?.state?.terminated && !view.waiting) return before;
  const isLost = before?.state?.running !== undefined;
  const past = before?.state?.terminated ?? before?.lastState?.terminated;
  return {
    ...common(view, context),
    state:
      view.kind === "init" && context.hasBegun && !view.waiting
        ? { terminated: FORGOTTEN_SUCCESS }
        : stateOf(view, context),
    lastState: past ? { terminated: past } : isLost ? { terminated: VANISHED } : {},
    restartCount: (before?.restartCount ?? 0) + (isLost && !past && !context.isDeleted ? 1 : 0),
    image: view.spec.image ?? "",
    imageID: "",
  };
}

/** What the API showed running, and the runtime knows nothing of. */
const VANISHED = {
  exitCode: 137,
  reason: "ContainerStatusUnknown",
  message: "The container could not be located when the pod was deleted.  The container used to be Running",
};
const FORGOTTEN_SUCCESS = {
  exitCode: 0,
  reason: "Completed",
  message:
    "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally",
};

/** The status that a container without a known end has once nothing of its pod runs any more. */
export function endedStatus(status: ContainerStatus): ContainerStatus {
  if (status.state?.terminated) return status;
  const message = "The container could not be located when the pod was terminated";
  return {
    ...status,
    ready: false,
    started: false,
    state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", message } },
  };
}

function common(view: ContainerView, { canReadOnlyBelow = false }: StatusContext) {
  const { spec } = view;
  return {
    name: spec.name,
    ready: isContainerReady(view),
    ...(view.kind === "ephemeral" ? {} : { started: isRunning(view) && view.isStarted }),
    ...(spec.volumeMounts?.length ? { volumeMounts: volumeMounts(view, canReadOnlyBelow) } : {}),
  };
}

function resourcesOf({
  spec,
  kind,
  given,
}: ContainerView): Pick<ContainerStatus, "resources" | "allocatedResources"> {
  if (kind === "ephemeral") return { resources: {} };
  const requests = spec.resources?.requests;
  return { resources: given ?? spec.resources ?? {}, ...(requests ? { allocatedResources: requests } : {}) };
}

export function isContainerReady(view: ContainerView): boolean {
  if (view.kind === "ephemeral") return false;
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
  const room = Math.floor(MAX_MESSAGES_BYTES / Math.max(1, context.containerCount));
  const text = Buffer.from(message)
    .subarray(0, room)
    .toString("utf8")
    .replace(/\uFFFD$/, "");
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

function volumeMounts(
  { spec }: ContainerView,
  canReadOnlyBelow: boolean,
): NonNullable<ContainerStatus["volumeMounts"]> {
  return (spec.volumeMounts ?? []).map(({ name, mountPath, readOnly, recursiveReadOnly }) => {
    const isBelow = canReadOnlyBelow && ["Enabled", "IfPossible"].includes(recursiveReadOnly ?? "");
    return {
      ...{ name, mountPath },
      ...(readOnly ? { readOnly, recursiveReadOnly: isBelow ? "Enabled" : "Disabled" } : {}),
    };
  });
}

/** The API's times are whole seconds. */
export function seconds(time: string): string {
  return `${time.slice(0, 19)}Z`;
}
