import type { DaemonSet, Node, Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { resolveCount } from "../int-or-string.ts";
import { isAvailable, isFinished, isReady } from "../pods.ts";
import { parseTime } from "../time.ts";
import { type Eligibility, eligibilityOf, nodeNameOf, REVISION_LABEL } from "./eligibility.ts";

export interface DaemonPlan {
  /** Names of nodes to make a pod for. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  /** Pods that are over; each is deleted so that another can take its place. */
  readonly finished: readonly Pod[];
}

export interface DaemonSnapshot {
  readonly daemonSet: DaemonSet;
  readonly hash: string;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly now: number;
}

/** One node with the DaemonSet's pods that are on it or meant for it, oldest first. */
interface Place {
  readonly name: string;
  readonly eligibility: Eligibility;
  readonly pods: readonly Pod[];
}

/** One pod on each node that wants one, none elsewhere, and old ones replaced as fast as the strategy allows. */
export function planDaemons(snapshot: DaemonSnapshot): DaemonPlan {
  const { places, lost } = placesOf(snapshot);
  const plan = { create: [] as string[], delete: [...lost], finished: [] as Pod[] };
  for (const place of places) planPlace(snapshot, place, plan);
  if (snapshot.daemonSet.spec?.updateStrategy?.type === "OnDelete") return plan;
  // Where a pod is only about to be made, nothing runs: no old pod goes before that one is there to be counted.
  if (plan.create.length > 0) return plan;
  const update = surgeOf(snapshot.daemonSet, places) > 0 ? planSurge : planReplace;
  const wanted = places.filter(({ eligibility }) => eligibility.shouldRun);
  const { create, remove } = update(snapshot, wanted);
  const leaving = new Set([...plan.delete, ...plan.finished]);
  return {
    ...plan,
    create: [...plan.create, ...create],
    delete: [...plan.delete, ...remove.filter((pod) => !leaving.has(pod))],
  };
}

/** Each node with its pods, and the pods that belong to no node there is. */
export function placesOf({ daemonSet, nodes, pods }: DaemonSnapshot): {
  places: readonly Place[];
  lost: readonly Pod[];
} {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    // Over and on its way out, it takes nobody's place.
    if (isFinished(pod) && isDeleting(pod)) continue;
    const name = nodeNameOf(pod) ?? "";
    byNode.set(name, [...(byNode.get(name) ?? []), pod]);
  }
  const places = nodes.map((node) => {
    const { name } = node.metadata;
    const here = (byNode.get(name) ?? []).sort(byAge);
    byNode.delete(name);
    return { name, eligibility: eligibilityOf(daemonSet, node), pods: here };
  });
  const lost = [...byNode.values()].flat().filter((pod) => !pod.spec?.nodeName && !isDeleting(pod));
  return { places, lost };
}

function planPlace(
  snapshot: DaemonSnapshot,
  { name, eligibility, pods }: Place,
  plan: { create: string[]; delete: Pod[]; finished: Pod[] },
): void {
  const staying = pods.filter((pod) => !isDeleting(pod));
  if (!eligibility.mayStay) {
    plan.delete.push(...staying);
    return;
  }
  if (!eligibility.shouldRun) return;
  if (pods.length === 0) {
    plan.create.push(name);
    return;
  }
  plan.finished.push(...staying.filter(isFinished));
  const running = staying.filter((pod) => !isFinished(pod));
  if (surgeOf(snapshot.daemonSet, []) === 0) plan.delete.push(...running.slice(1));
  else for (const same of Object.values(split(snapshot, running))) plan.delete.push(...same.slice(1));
}

/** Old pods go first, and their replacement comes when they are gone. */
function planReplace(
  snapshot: DaemonSnapshot,
  wanted: readonly Place[],
): { create: readonly string[]; remove: readonly Pod[] } {
  const { maxUnavailable = 1 } = snapshot.daemonSet.spec?.updateStrategy?.rollingUpdate ?? {};
  const budget = Math.max(1, resolveCount(maxUnavailable, wanted.length, "up"));
  const candidates: Pod[] = [];
  const remove: Pod[] = [];
  let unavailable = 0;
  for (const { pods } of wanted) {
    const alive = pods.filter((pod) => !isDeleting(pod) && !isFinished(pod));
    const { old, fresh } = split(snapshot, alive);
    if (pods.length > 0 && !alive.some((pod) => available(snapshot, pod))) unavailable++;
    if (fresh.length > 0) continue;
    for (const pod of old.slice(0, 1)) (available(snapshot, pod) ? candidates : remove).push(pod);
  }
  return { create: [], remove: [...remove, ...candidates.slice(0, Math.max(0, budget - unavailable))] };
}

/** New pods come beside the old ones, which go once those are available. */
function planSurge(
  snapshot: DaemonSnapshot,
  wanted: readonly Place[],
): { create: readonly string[]; remove: readonly Pod[] } {
  const create: string[] = [];
  const candidates: string[] = [];
  const remove: Pod[] = [];
  let surging = 0;
  for (const { name, pods } of wanted) {
    const { old, fresh } = split(
      snapshot,
      pods.filter((pod) => !isDeleting(pod) && !isFinished(pod)),
    );
    const [oldest] = old;
    const [newest] = fresh;
    if (oldest === undefined) continue;
    if (newest === undefined) (available(snapshot, oldest) ? candidates : create).push(name);
    else if (available(snapshot, newest) || !isReady(oldest)) remove.push(oldest);
    else surging++;
  }
  const room = Math.max(0, surgeOf(snapshot.daemonSet, wanted) - surging);
  return { create: [...create, ...candidates.slice(0, room)], remove };
}

function split(
  { hash }: DaemonSnapshot,
  pods: readonly Pod[],
): { old: readonly Pod[]; fresh: readonly Pod[] } {
  const isFresh = ({ metadata }: Pod) => metadata.labels?.[REVISION_LABEL] === hash;
  return { old: pods.filter((pod) => !isFresh(pod)), fresh: pods.filter(isFresh) };
}

function available({ daemonSet, now }: DaemonSnapshot, pod: Pod): boolean {
  return isAvailable(pod, daemonSet.spec?.minReadySeconds, now);
}

/** How many nodes may have two pods; without places, only whether any may. */
function surgeOf({ spec }: DaemonSet, places: readonly Place[]): number {
  const maxSurge = spec?.updateStrategy?.rollingUpdate?.maxSurge ?? 0;
  return resolveCount(maxSurge, Math.max(1, places.length), "up");
}

function byAge(a: Pod, b: Pod): number {
  const scheduled = Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName));
  const age = parseTime(a.metadata.creationTimestamp) - parseTime(b.metadata.creationTimestamp);
  return scheduled || age || (a.metadata.name < b.metadata.name ? -1 : 1);
}
