import type { Pod } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import { type LogQuery, readLogs } from "../logs/read-logs.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";

export type LogAnswer =
  | { readonly kind: "stream"; readonly text: AsyncIterable<Buffer> }
  | { readonly kind: "refused"; readonly status: 400 | 404; readonly message: string };

export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly query: URLSearchParams;
}

export interface LogDeps {
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
  readonly runtime: Runtime;
  readonly clock: Clock;
}

/** Answers `kubectl logs` for one container. */
export function containerLogs(request: LogRequest, deps: LogDeps, signal: AbortSignal): LogAnswer {
  const { pod: name, container, query } = request;
  const pod = deps.findPod(request.namespace, name);
  if (!pod) return refuse(404, `pod does not exist`);
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (!containers.some((one) => one.name === container))
    return refuse(404, `container ${container} is not valid for pod ${name}`);
  const runs = deps.runtime.runs(pod.metadata.uid ?? "").filter((run) => run.name === container);
  const isPrevious = query.get("previous") === "true";
  const run = isPrevious ? (runs.find(({ exit }, i) => exit && i > 0) ?? lastEnded(runs, pod)) : runs[0];
  if (!run) return refuse(400, whyNone(pod, request, isPrevious));
  const logQuery = parseLogQuery(query, deps.clock.now());
  if (typeof logQuery === "string") return refuse(400, logQuery);
  const isRunning = () => deps.runtime.runs(run.podUid).some(({ id, exit }) => id === run.id && !exit);
  return {
    kind: "stream",
    text: readLogs({ path: run.logPath, isRunning }, logQuery, { clock: deps.clock, signal }),
  };
}

/** A container waiting in back-off shows its ended run as the previous one. */
function lastEnded(runs: readonly Run[], pod: Pod): Run | undefined {
  const [newest] = runs;
  const status = pod.status?.containerStatuses?.find(({ name }) => name === newest?.name);
  return newest?.exit && status?.state?.waiting ? newest : undefined;
}

function whyNone(pod: Pod, { container, pod: name }: LogRequest, isPrevious: boolean): string {
  if (isPrevious) return `previous terminated container "${container}" in pod "${name}" not found`;
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const reason = statuses.find((status) => status.name === container)?.state?.waiting?.reason;
  const tail: Readonly<Record<string, string>> = {
    ErrImagePull: "image can't be pulled",
    ImagePullBackOff: "trying and failing to pull image",
  };
  const why = tail[reason ?? ""] ?? `waiting to start: ${reason ?? "ContainerCreating"}`;
  return `container "${container}" in pod "${name}" is ${why}`;
}

/** Reads PodLogOptions from a query, or says what is wrong with it. */
export function parseLogQuery(query: URLSearchParams, now: number): LogQuery | string {
  const number = (name: string): number | undefined | string => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    return /^\d+$/.test(text) ? Number(text) : `${name} must be a whole number, not ${JSON.stringify(text)}`;
  };
  const [tailLines, limitBytes, sinceSeconds] = [
    number("tailLines"),
    number("limitBytes"),
    number("sinceSeconds"),
  ];
  for (const value of [tailLines, limitBytes, sinceSeconds]) if (typeof value === "string") return value;
  const since =
    typeof sinceSeconds === "number"
      ? new Date(now - sinceSeconds * 1000).toISOString()
      : (query.get("sinceTime") ?? undefined);
  if (since !== undefined && Number.isNaN(Date.parse(since)))
    return `sinceTime ${JSON.stringify(since)} is no time`;
  return {
    follow: query.get("follow") === "true",
    timestamps: query.get("timestamps") === "true",
    tailLines: typeof tailLines === "number" ? tailLines : undefined,
    limitBytes: typeof limitBytes === "number" ? limitBytes : undefined,
    since,
  };
}

function refuse(status: 400 | 404, message: string): LogAnswer {
  return { kind: "refused", status, message };
}
