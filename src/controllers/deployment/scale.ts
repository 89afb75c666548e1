import type { ReplicaSet } from "#kube/generated/types";
import { parseTime } from "../time.ts";
import {
  availableOf,
  byRevision,
  DESIRED_REPLICAS,
  everyone,
  type Family,
  fencesOf,
  isRecreate,
  MAX_REPLICAS,
  type Resize,
  sizeOf,
  sum,
  wantedOf,
} from "./model.ts";

/** Whether the Deployment was given another size since its ReplicaSets were last sized. */
export function isScalingEvent(family: Family): boolean {
  return everyone(family).some((set) => {
    if (sizeOf(set) === 0) return false;
    const noted = annotatedNumber(set, DESIRED_REPLICAS);
    return noted !== undefined && noted !== wantedOf(family.deployment);
  });
}

/** The annotations by which a later scaling knows the size this one was made for. */
export function sizeAnnotations({ deployment }: Pick<Family, "deployment">): Record<string, string> {
  const wanted = wantedOf(deployment);
  return {
    [DESIRED_REPLICAS]: String(wanted),
    [MAX_REPLICAS]: String(wanted + fencesOf(deployment).surge),
  };
}

/** Sizes for a Deployment that is scaled while no roll-out may move, or in the middle of one: each ReplicaSet gets its share.
 *  ReplicaSets that keep their size are listed too, since their annotations change. */
export function planScale(family: Family): readonly Resize[] {
  const { deployment, newest, old } = family;
  const wanted = wantedOf(deployment);
  const active = everyone(family).filter((set) => sizeOf(set) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newest ?? latest(old);
    return only === undefined ? [] : [{ replicaSet: only, to: wanted }];
  }
  if (newest !== undefined && isSaturated(newest, wanted))
    return old.filter((set) => sizeOf(set) > 0).map((replicaSet) => ({ replicaSet, to: 0 }));
  return isRecreate(deployment) ? [] : planShares(family, active);
}

function planShares({ deployment }: Family, active: readonly ReplicaSet[]): readonly Resize[] {
  const wanted = wantedOf(deployment);
  const allowed = wanted === 0 ? 0 : wanted + fencesOf(deployment).surge;
  const delta = allowed - sum(active, sizeOf);
  const sorted = [...active].sort((a, b) => sizeOf(b) - sizeOf(a) || bySeniority(a, b, delta));
  const sizes = new Map<ReplicaSet, number>();
  let given = 0;
  for (const set of sorted) {
    const share = delta === 0 ? 0 : clampShare(shareOf(set, goalOf(deployment)), delta - given);
    sizes.set(set, sizeOf(set) + share);
    given += share;
  }
  const [first] = sorted;
  if (first !== undefined) sizes.set(first, Math.max(0, (sizes.get(first) ?? 0) + delta - given));
  return sorted.map((replicaSet) => ({ replicaSet, to: Math.max(0, sizes.get(replicaSet) ?? 0) }));
}

function shareOf(set: ReplicaSet, target: { max: number; statusReplicas: number }): number {
  const size = sizeOf(set);
  const noted = annotatedNumber(set, MAX_REPLICAS) || target.statusReplicas || size;
  return Math.round((size * target.max) / noted) - size;
}

/** Moves towards the goal only, and never past it. */
function clampShare(share: number, left: number): number {
  return left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
}

function goalOf(deployment: Family["deployment"]): { max: number; statusReplicas: number } {
  const wanted = wantedOf(deployment);
  const max = wanted === 0 ? 0 : wanted + fencesOf(deployment).surge;
  return { max, statusReplicas: deployment.status?.replicas ?? 0 };
}

function isSaturated(set: ReplicaSet, wanted: number): boolean {
  return (
    sizeOf(set) === wanted && annotatedNumber(set, DESIRED_REPLICAS) === wanted && availableOf(set) === wanted
  );
}

function latest(sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort(byRevision).at(-1);
}

function bySeniority(a: ReplicaSet, b: ReplicaSet, delta: number): number {
  const age = parseTime(a.metadata.creationTimestamp) - parseTime(b.metadata.creationTimestamp);
  return delta > 0 ? -age : age;
}

function annotatedNumber({ metadata }: ReplicaSet, name: string): number | undefined {
  const value = Number.parseInt(metadata.annotations?.[name] ?? "", 10);
  return Number.isNaN(value) ? undefined : value;
}
