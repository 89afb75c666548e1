import type { Deployment, ReplicaSet } from "#kube/generated/types";
import { resolveCount } from "../int-or-string.ts";
import { isSameTemplate } from "../template.ts";
import { parseTime } from "../time.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";
/** The value of progressDeadlineSeconds and revisionHistoryLimit that means "none". */
export const UNLIMITED = 2147483647;

/** A Deployment and its ReplicaSets, newest template told apart from the others. Oldest ReplicaSets come first. */
export interface Family {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

/** A ReplicaSet that should get another size. */
export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly to: number;
}

export function familyOf(deployment: Deployment, replicaSets: readonly ReplicaSet[]): Family {
  const sorted = [...replicaSets].sort(byAge);
  const newest = sorted.find((set) => isSameTemplate(set.spec?.template, deployment.spec?.template));
  return { deployment, newest, old: sorted.filter((set) => set !== newest) };
}

export function everyone({ newest, old }: Family): readonly ReplicaSet[] {
  return newest === undefined ? old : [...old, newest];
}

export function sizeOf(replicaSet: ReplicaSet | undefined): number {
  return replicaSet === undefined ? 0 : (replicaSet.spec?.replicas ?? 1);
}

export function wantedOf(deployment: Deployment): number {
  return deployment.spec?.replicas ?? 1;
}

export function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}

export function availableOf(replicaSet: ReplicaSet): number {
  return replicaSet.status?.availableReplicas ?? 0;
}

export function isRecreate(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type === "Recreate";
}

/** How many pods a roll-out may add beyond, and take from, the wanted number. */
export function fencesOf(deployment: Deployment): { surge: number; unavailable: number } {
  const wanted = wantedOf(deployment);
  if (isRecreate(deployment) || wanted === 0) return { surge: 0, unavailable: 0 };
  const { maxSurge = "25%", maxUnavailable = "25%" } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = resolveCount(maxSurge, wanted, "up");
  const unavailable = resolveCount(maxUnavailable, wanted, "down");
  // Both zero would never move.
  return { surge, unavailable: Math.min(wanted, surge === 0 && unavailable === 0 ? 1 : unavailable) };
}

/** 0 where the annotation is missing or no number. A big one, because it has 64 bits. */
export function revisionOf({ metadata }: ReplicaSet | Deployment): bigint {
  const text = metadata.annotations?.[REVISION] ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/** The lower revision first. */
export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const [first, second] = [revisionOf(a), revisionOf(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Everything asked for runs, is up to date, and nothing else is left. */
export function isComplete({ metadata, spec, status }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  return (
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  );
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const age = parseTime(a.metadata.creationTimestamp) - parseTime(b.metadata.creationTimestamp);
  return age !== 0 ? age : a.metadata.name < b.metadata.name ? -1 : 1;
}
