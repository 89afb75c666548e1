import type { ContainerStatus, Pod } from "#kube/generated/types";
import { isReady, readyCondition } from "../pods.ts";
import { parseTime } from "../time.ts";

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

interface Ranked {
  readonly pod: Pod;
  /** Compared from the left; the smaller goes first. */
  readonly rank: readonly number[];
}

/** The `count` pods to delete: those whose loss hurts least. `siblings` counts active pods of the same family on each node.
 *  @see kubernetes pkg/controller/controller_utils.go ActivePodsWithRanks */
export function chooseVictims(
  pods: readonly Pod[],
  count: number,
  options: { readonly siblings: ReadonlyMap<string, number>; readonly now: number },
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const ranked = pods.map((pod): Ranked => ({ pod, rank: rankOf(pod, options) }));
  return ranked
    .sort(compareRanks)
    .slice(0, count)
    .map(({ pod }) => pod);
}

function rankOf(
  pod: Pod,
  { siblings, now }: { readonly siblings: ReadonlyMap<string, number>; readonly now: number },
): readonly number[] {
  const nodeName = pod.spec?.nodeName ?? "";
  const ready = isReady(pod);
  return [
    nodeName === "" ? 0 : 1,
    PHASE_RANK[pod.status?.phase ?? "Pending"] ?? 0,
    ready ? 1 : 0,
    deletionCost(pod),
    -(siblings.get(nodeName) ?? 0),
    ready ? ageBucket(now - parseTime(readyCondition(pod)?.lastTransitionTime)) : 0,
    -mostRestarts(pod.status?.containerStatuses),
    -mostRestarts(sidecarStatuses(pod)),
    ageBucket(now - parseTime(pod.metadata.creationTimestamp)),
  ];
}

function compareRanks(a: Ranked, b: Ranked): number {
  for (const [i, value] of a.rank.entries()) {
    const other = b.rank[i] ?? 0;
    if (value !== other) return value - other;
  }
  return (a.pod.metadata.uid ?? "") < (b.pod.metadata.uid ?? "") ? -1 : 1;
}

/** Powers of two of a second: ages close to each other count as equal. */
function ageBucket(ms: number): number {
  return ms <= 0 ? 0 : Math.floor(Math.log2(ms / 1000 + 1));
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? "0";
  return /^(?:0|-?[1-9]\d*)$/.test(text) && Math.abs(Number(text)) <= 2 ** 31 - 1 ? Number(text) : 0;
}

function mostRestarts(statuses: readonly ContainerStatus[] | undefined): number {
  return Math.max(0, ...(statuses ?? []).map(({ restartCount }) => restartCount));
}

/** Init containers that keep running; the others start again for reasons of their own. */
function sidecarStatuses({ spec, status }: Pod): readonly ContainerStatus[] {
  const sidecars = new Set(
    spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name),
  );
  return (status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name));
}
