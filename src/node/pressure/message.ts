import type { Pod } from "#kube/generated/types";
import { canonicalQuantity } from "#kube/quantity";
import { wholeOf } from "../cgroup/amounts.ts";
import type { PodUsage } from "./pod-usage.ts";
import { SIGNALS, type Starved } from "./signals.ts";
import { type Threshold, written, writtenValue } from "./thresholds.ts";
import type { Observations } from "./watch.ts";

export interface Shortage {
  readonly starved: Starved;
  /** All that are met, the one that is acted on first. */
  readonly thresholds: readonly Threshold[];
  readonly observations: Observations;
}

/** What an evicted pod is told: what was short, by how much, and which of its containers used more than they asked for.
 *  @see kubelet eviction/helpers.go evictionMessage */
export function evictionMessage(pod: Pod, usage: PodUsage | undefined, shortage: Shortage): string {
  const { starved } = shortage;
  return [
    `The node was low on resource: ${starved}. `,
    ...thresholdWords(shortage),
    ...(usage ? podWords(pod, usage, starved) : []),
    ...(usage ? containerWords(pod, usage, starved) : []),
  ].join("");
}

function thresholdWords({ starved, thresholds, observations }: Shortage): readonly string[] {
  for (const { signal, value } of thresholds) {
    const seen = observations.get(signal);
    if (SIGNALS[signal].starved !== starved || !seen) continue;
    const format = starved === "inodes" || starved === "pids" ? "decimal" : "binary";
    const available = written(seen.available, format);
    return [`Threshold quantity: ${writtenValue(value, seen.capacity)}, available: ${available}. `];
  }
  return [];
}

function podWords({ metadata, spec }: Pod, usage: PodUsage, starved: Starved): readonly string[] {
  const request = starved === "memory" ? spec?.resources?.requests?.["memory"] : undefined;
  if (request === undefined) return [];
  return [larger(`Pod ${metadata.name}`, { used: usage.memoryBytes, request, starved })];
}

function containerWords({ spec }: Pod, usage: PodUsage, starved: Starved): readonly string[] {
  if (starved !== "memory" && starved !== "ephemeral-storage") return [];
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].flatMap(({ name, resources }) => {
    const own = usage.containers.get(name);
    const used = starved === "memory" ? own?.memoryBytes : own?.diskBytes;
    const request = resources?.requests?.[starved] ?? "0";
    if (used === undefined || used <= wholeOf(request)) return [];
    return [larger(`Container ${name}`, { used, request, starved })];
  });
}

function larger(
  who: string,
  { used, request, starved }: { used: number; request: string; starved: Starved },
): string {
  const asked = canonicalQuantity(request);
  return `${who} was using ${written(used, "binary")}, request is ${asked}, has larger consumption of ${starved}. `;
}
