import type { ReplicaSet } from "#kube/generated/types";
import {
  availableOf,
  byRevision,
  everyone,
  type Family,
  fencesOf,
  type Resize,
  sizeOf,
  sum,
  UNLIMITED,
  wantedOf,
} from "./model.ts";

/** The next step from the old pods to the new ones: first as many new as fit under the ceiling, then as many fewer old as stay
 *  above the floor. Empty when there is nothing to do, or nothing to do yet. */
export function planRollingUpdate(family: Family & { readonly newest: ReplicaSet }): readonly Resize[] {
  const grown = planNewest(family);
  return grown.length > 0 ? grown : planShrinkOld(family);
}

/** All old pods first, then the new ones. `oldPodsLeft` counts old pods that are not over yet, terminating ones included. */
export function planRecreate(
  family: Family & { readonly newest: ReplicaSet },
  oldPodsLeft: number,
): readonly Resize[] {
  const shrink = family.old.filter((set) => sizeOf(set) > 0).map((replicaSet) => ({ replicaSet, to: 0 }));
  if (shrink.length > 0) return shrink;
  const isGone = oldPodsLeft === 0 && family.old.every((set) => (set.status?.replicas ?? 0) === 0);
  return isGone ? resize(family.newest, wantedOf(family.deployment)) : [];
}

/** Finished ReplicaSets beyond the history the Deployment wants to keep, the oldest revisions first. */
export function planCleanUp({ deployment, old }: Family): readonly ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  if (limit === UNLIMITED) return [];
  const idle = old.filter((set) => !set.metadata.deletionTimestamp);
  const surplus = idle.length - limit;
  if (surplus <= 0) return [];
  return [...idle].sort(byRevision).slice(0, surplus).filter(isIdle);
}

function planNewest({
  deployment,
  newest,
  old,
}: Family & { readonly newest: ReplicaSet }): readonly Resize[] {
  const wanted = wantedOf(deployment);
  const size = sizeOf(newest);
  if (size >= wanted) return resize(newest, wanted);
  const ceiling = wanted + fencesOf(deployment).surge;
  const room = ceiling - sum([...old, newest], sizeOf);
  return room <= 0 ? [] : resize(newest, size + Math.min(room, wanted - size));
}

function planShrinkOld(family: Family & { readonly newest: ReplicaSet }): readonly Resize[] {
  const { deployment, newest, old } = family;
  const floor = wantedOf(deployment) - fencesOf(deployment).unavailable;
  const total = sum(everyone(family), sizeOf);
  const newUnavailable = sizeOf(newest) - availableOf(newest);
  const room = total - floor - newUnavailable;
  if (room <= 0 || sum(old, sizeOf) === 0) return [];
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  takeUnhealthy(old, sizes, room);
  takeHealthy(old, sizes, sum(everyone(family), availableOf) - floor);
  return old.flatMap((set) => resize(set, sizes.get(set) ?? 0));
}

/** Old pods that do not serve anyway go without counting against availability. */
function takeUnhealthy(old: readonly ReplicaSet[], sizes: Map<ReplicaSet, number>, room: number): void {
  let left = room;
  for (const set of old) {
    const size = sizeOf(set);
    const take = Math.min(left, Math.max(0, size - availableOf(set)));
    sizes.set(set, size - take);
    left -= take;
  }
}

function takeHealthy(old: readonly ReplicaSet[], sizes: Map<ReplicaSet, number>, spare: number): void {
  let left = spare;
  for (const set of old) {
    if (left <= 0) return;
    const size = sizes.get(set) ?? 0;
    const take = Math.min(left, size);
    sizes.set(set, size - take);
    left -= take;
  }
}

function resize(replicaSet: ReplicaSet, to: number): readonly Resize[] {
  return sizeOf(replicaSet) === to ? [] : [{ replicaSet, to }];
}

function isIdle({ metadata, spec, status }: ReplicaSet): boolean {
  return (
    (status?.replicas ?? 0) === 0 &&
    (spec?.replicas ?? 1) === 0 &&
    (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0)
  );
}
