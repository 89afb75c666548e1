import type { Container, ContainerStateTerminated, ContainerStatus, Pod } from "#kube/generated/types";

/** What `kubectl get pods` tells about a pod in one line. */
export interface PodStatusLine {
  readonly text: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  /** When a container last ended before it was restarted. */
  readonly lastRestart: string | undefined;
}

interface Tally {
  ready: number;
  restarts: number;
  lastRestart: string | undefined;
}

/** The pod's line: its phase, overruled by what its containers are doing. @see printPod in kubernetes pkg/printers/internalversion */
export function podStatus(pod: Pod): PodStatusLine {
  const all: Tally = { ready: 0, restarts: 0, lastRestart: undefined };
  const sidecars: Tally = { ready: 0, restarts: 0, lastRestart: undefined };
  const sidecarNames = namesOfSidecars(pod);
  const start = startText(pod);
  const initText = walkInit(pod, sidecarNames, all, sidecars);
  let text = initText ?? start;
  let tally = all;
  if (initText === undefined || hasCondition(pod, "Initialized")) {
    tally = { ...sidecars };
    text = walkContainers(pod, initText ?? start, tally);
  }
  return {
    text: deletionText(pod) ?? text,
    ready: Math.max(tally.ready, sidecars.ready),
    total: (pod.spec?.containers ?? []).length + sidecarNames.size,
    restarts: tally.restarts,
    lastRestart: tally.lastRestart,
  };
}

function startText(pod: Pod): string {
  const gated = pod.status?.conditions?.some(
    ({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated",
  );
  return gated ? "SchedulingGated" : pod.status?.reason || pod.status?.phase || "Unknown";
}

function namesOfSidecars(pod: Pod): ReadonlySet<string> {
  const isSidecar = ({ restartPolicy }: Container) => restartPolicy === "Always";
  return new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
}

/** Goes through the init containers; the text of the first that holds the pod up. */
function walkInit(
  pod: Pod,
  sidecarNames: ReadonlySet<string>,
  all: Tally,
  sidecars: Tally,
): string | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [i, status] of statuses.entries()) {
    const isSidecar = sidecarNames.has(status.name);
    countRestarts(status, all);
    if (isSidecar) countRestarts(status, sidecars);
    if (status.state?.terminated?.exitCode === 0) continue;
    if (isSidecar && status.started === true) {
      if (status.ready) sidecars.ready++;
      continue;
    }
    return initText(status, i, (pod.spec?.initContainers ?? []).length);
  }
  return undefined;
}

function initText({ state }: ContainerStatus, index: number, total: number): string {
  if (state?.terminated !== undefined) return `Init:${terminatedText(state.terminated)}`;
  const waiting = state?.waiting?.reason;
  if (waiting && waiting !== "PodInitializing") return `Init:${waiting}`;
  return `Init:${index}/${total}`;
}

function walkContainers(pod: Pod, before: string, tally: Tally): string {
  let text = before;
  let error: string | undefined;
  let running = false;
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    countRestarts(status, tally);
    const { waiting, terminated } = status.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated !== undefined) {
      text = terminatedText(terminated);
      if (terminated.exitCode !== 0) error = text;
    } else if (status.ready && status.state?.running !== undefined) {
      running = true;
      tally.ready++;
    }
  }
  if (text !== "Completed") return text;
  if (running && hasCondition(pod, "Ready")) return "Running";
  if (error !== undefined) return error;
  return running ? "NotReady" : text;
}

function terminatedText({ reason, signal, exitCode }: ContainerStateTerminated): string {
  if (reason) return reason;
  return signal !== undefined && signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

function deletionText(pod: Pod): string | undefined {
  if (pod.metadata.deletionTimestamp === undefined) return undefined;
  if (pod.status?.reason === "NodeLost") return "Unknown";
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed" ? undefined : "Terminating";
}

function countRestarts(status: ContainerStatus, tally: Tally): void {
  tally.restarts += status.restartCount;
  const ended = status.lastState?.terminated?.finishedAt;
  if (
    ended !== undefined &&
    (tally.lastRestart === undefined || Date.parse(ended) > Date.parse(tally.lastRestart))
  )
    tally.lastRestart = ended;
}

function hasCondition(pod: Pod, wanted: string): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === wanted && status === "True");
}
