import type { Pod } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import { readLogs } from "../logs/read-logs.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";
import { parseLogQuery } from "./log-query.ts";
import { hasContainer, statusOf } from "./pod-containers.ts";
import type { ContainerRef } from "./route.ts";

export type LogAnswer =
  | { readonly kind: "stream"; readonly text: AsyncIterable<Buffer> }
  | { readonly kind: "refused"; readonly status: 400 | 404 | 422; readonly message: string };

export interface LogDeps {
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
  readonly runtime: Runtime;
  readonly clock: Clock;
}

const PULL_TROUBLE: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};

/** Answers `kubectl logs` for one container. Following ends with the container, as a kubelet has it.
 *  @see GetKubeletContainerLogs in pkg/kubelet/kubelet_pods.go */
export function containerLogs(
  ref: ContainerRef,
  { query, signal }: { query: URLSearchParams; signal: AbortSignal },
  { findPod, runtime, clock }: LogDeps,
): LogAnswer {
  const asked = parseLogQuery(query, clock.now());
  if (asked.kind === "refused") return asked;
  const { container } = ref;
  const pod = findPod(ref.namespace, ref.pod);
  if (!pod) return refuse(404, `pod ${JSON.stringify(ref.pod)} does not exist\n`);
  if (!hasContainer(pod, container))
    return refuse(
      404,
      `container ${JSON.stringify(container)} not found in pod ${JSON.stringify(ref.pod)}\n`,
    );
  const runs = runtime.runs(pod.metadata.uid ?? "").filter((run) => run.name === container);
  const run = asked.previous ? previousRun(runs, pod) : runs[0];
  if (!run) return refuse(400, asked.previous ? whyNoPrevious(ref) : whyNone(pod, ref));
  const isRunning = () => runtime.runs(run.podUid).some(({ id, exit }) => id === run.id && !exit);
  return {
    kind: "stream",
    text: readLogs({ path: run.logPath, isRunning }, asked.query, { clock, signal }),
  };
}

/** The run before the newest; while the container waits for its next start, the newest has become it. */
function previousRun(runs: readonly Run[], pod: Pod): Run | undefined {
  const [newest, before] = runs;
  const isWaiting = newest?.exit && statusOf(pod, newest.name)?.state?.waiting;
  return isWaiting ? newest : before;
}

function whyNoPrevious({ container, pod }: ContainerRef): string {
  return `previous terminated container "${container}" in pod "${pod}" not found`;
}

function whyNone(pod: Pod, { container, pod: name }: ContainerRef): string {
  const state = statusOf(pod, container)?.state;
  const reason = state?.waiting?.reason ?? "ContainerCreating";
  if (state?.terminated) return `container "${container}" in pod "${name}" is terminated`;
  return `container "${container}" in pod "${name}" is waiting to start: ${PULL_TROUBLE[reason] ?? reason}`;
}

function refuse(status: 400 | 404, message: string): LogAnswer {
  return { kind: "refused", status, message };
}
