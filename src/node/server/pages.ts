import type { ServerResponse } from "node:http";
import { availableParallelism } from "node:os";
import type { Pod } from "#kube/generated/types";
import type { Runtime } from "../runtime/runtime.ts";
import { cadvisorMetrics, kubeletMetrics, resourceMetrics } from "../stats/metrics-text.ts";
import type { Sampler } from "../stats/sampler.ts";
import { statsSummary } from "../stats/summary.ts";
import { sendJson, sendText } from "./reply.ts";
import type { Page } from "./route.ts";

export interface PageDeps {
  readonly nodeName: string;
  readonly pods: () => readonly Pod[];
  readonly runtime: Runtime;
  readonly sampler: Sampler;
  /** KubeletConfiguration, as far as this agent has such settings. */
  readonly settings: () => Readonly<Record<string, unknown>>;
  /** What `/metrics/probes` says. */
  readonly probeMetrics: () => string;
  /** What `/metrics` says besides of the agent's other parts. */
  readonly otherMetrics: () => string;
}

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

/** Answers with one of the pages that are about the whole node. */
export async function sendPage(
  response: ServerResponse,
  { page, query }: { page: Page; query: URLSearchParams },
  deps: PageDeps,
): Promise<void> {
  const { nodeName, pods, sampler } = deps;
  const metrics = (text: string) => sendText(response, 200, text, PROMETHEUS);
  switch (page) {
    case "healthz":
      return sendText(response, 200, "ok");
    case "pods":
      return sendJson(response, podList(pods()));
    case "running-pods":
      return sendJson(response, podList(runningPods(deps)));
    case "configz":
      return sendJson(response, { kubeletconfig: deps.settings() });
    case "stats-summary": {
      const onlyCpuAndMemory = query.get("only_cpu_and_memory") === "true";
      return sendJson(response, statsSummary(await sampler.take(), { nodeName, onlyCpuAndMemory }));
    }
    case "metrics-resource":
      return metrics(resourceMetrics(await sampler.take()));
    case "metrics-cadvisor":
      return metrics(cadvisorMetrics(await sampler.take(), availableParallelism()));
    case "metrics-probes":
      return metrics(deps.probeMetrics());
    case "metrics":
      return metrics(kubeletMetrics({ nodeName, ...countRunning(deps.runtime) }) + deps.otherMetrics());
    default:
      page satisfies never;
  }
}

function podList(items: readonly object[]): object {
  return { kind: "PodList", apiVersion: "v1", metadata: {}, items };
}

/** Pods as the runtime knows them: names and images of what runs, and no more. @see getRunningPods in pkg/kubelet */
function runningPods({ pods, runtime }: PageDeps): readonly object[] {
  return pods().flatMap(({ metadata }) => {
    const { name, namespace, uid = "" } = metadata;
    const running = runtime.runs(uid).filter(({ exit }) => exit === undefined);
    if (running.length === 0) return [];
    const containers = running.map((run) => ({ name: run.name, image: run.image, resources: {} }));
    return [
      { metadata: { name, namespace, uid, creationTimestamp: null }, spec: { containers }, status: {} },
    ];
  });
}

function countRunning(runtime: Runtime): { runningPods: number; runningContainers: number } {
  const uids = runtime.podUids();
  return {
    runningPods: uids.filter((uid) => runtime.sandbox(uid)?.isReady).length,
    runningContainers: uids.flatMap((uid) => runtime.runs(uid)).filter(({ exit }) => exit === undefined)
      .length,
  };
}
