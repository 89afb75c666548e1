import type {
  ControllerRevision,
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { templateOf } from "../history.ts";
import { resolveCount } from "../int-or-string.ts";
import { isAvailable, isFinished, isReady } from "../pods.ts";
import {
  draftClaims,
  draftPod,
  missingLabels,
  ordinalOf,
  ordinalsOf,
  revisionOf,
  startOf,
} from "./identity.ts";
import { isStaleClaim, judgeClaim } from "./retention.ts";

export interface SetSnapshot {
  readonly set: StatefulSet;
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly pods: readonly Pod[];
  /** Undefined when there is no claim of that name in the set's namespace. */
  readonly claim: (name: string) => PersistentVolumeClaim | undefined;
  readonly now: number;
}

export type Step =
  | { readonly do: "create"; readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }
  | { readonly do: "create-claims"; readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }
  | { readonly do: "label"; readonly pod: Pod; readonly labels: Readonly<Record<string, string>> }
  | {
      readonly do: "own";
      readonly pod: Pod;
      readonly claim: PersistentVolumeClaim;
      readonly ownerReferences: readonly OwnerReference[];
    }
  | { readonly do: "leave"; readonly claim: PersistentVolumeClaim; readonly owner: OwnerReference }
  | { readonly do: "delete"; readonly pod: Pod };

/** One place of a set: its pod, or none yet. */
interface Place {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

/** What may be done now towards the pods a set asks for. In order, a set takes one step after the other and waits for each
 *  pod to be available; in parallel, it takes all at once. Only a set whose pods are all there is updated. */
export function planSet(snapshot: SetSnapshot): readonly Step[] {
  const { set } = snapshot;
  const isOrdered = set.spec?.podManagementPolicy !== "Parallel";
  const { replicas, condemned } = placesOf(snapshot);
  const steps: Step[] = [];
  for (const place of replicas) {
    const { isBlocked } = planReplica(snapshot, place, steps);
    if (isBlocked && isOrdered) return steps;
  }
  for (const { pod } of condemned) if (pod) planOwners(snapshot, pod, { isCondemned: true }, steps);
  const firstUnavailable =
    replicas.find(({ pod }) => !serves(snapshot, pod)) ??
    condemned.findLast(({ pod }) => !serves(snapshot, pod));
  for (const place of condemned) {
    const { pod } = place;
    if (pod === undefined) continue;
    if (isOrdered && isDeleting(pod)) return steps;
    if (isOrdered && !serves(snapshot, pod) && place !== firstUnavailable) return steps;
    if (!isDeleting(pod)) steps.push({ do: "delete", pod });
    if (isOrdered) return steps;
  }
  if (set.spec?.updateStrategy?.type !== "OnDelete")
    for (const pod of planUpdate(snapshot, replicas)) steps.push({ do: "delete", pod });
  return steps;
}

/** The pods a set asks for, lowest ordinal first, and those it does not, highest first. */
export function placesOf({ set, pods }: Pick<SetSnapshot, "set" | "pods">): {
  readonly replicas: readonly Place[];
  readonly condemned: readonly Place[];
} {
  const byOrdinal = new Map<number, Pod>();
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal !== undefined) byOrdinal.set(ordinal, pod);
  }
  const replicas = ordinalsOf(set).map((ordinal) => ({ ordinal, pod: byOrdinal.get(ordinal) }));
  for (const { ordinal } of replicas) byOrdinal.delete(ordinal);
  const condemned = [...byOrdinal]
    .map(([ordinal, pod]) => ({ ordinal, pod }))
    .sort((a, b) => b.ordinal - a.ordinal);
  return { replicas, condemned };
}

/** Whether later places have to wait for this one, where order counts. */
function planReplica(snapshot: SetSnapshot, place: Place, steps: Step[]): { isBlocked: boolean } {
  const { pod, ordinal } = place;
  if (pod === undefined) {
    planMissing(snapshot, ordinal, steps);
    return { isBlocked: true };
  }
  if (isFinished(pod)) {
    if (!isDeleting(pod)) steps.push({ do: "delete", pod });
    return { isBlocked: true };
  }
  if (pod.status?.phase === "Pending" && !isDeleting(pod)) {
    const claims = draftClaims(snapshot.set, ordinal).filter(
      ({ metadata }) => !snapshot.claim(metadata.name),
    );
    if (claims.length > 0) steps.push({ do: "create-claims", pod, claims });
  }
  const isBlocked = !serves(snapshot, pod);
  if (isBlocked && snapshot.set.spec?.podManagementPolicy !== "Parallel") return { isBlocked };
  const labels = missingLabels(pod, ordinal);
  if (labels !== undefined) steps.push({ do: "label", pod, labels });
  planOwners(snapshot, pod, { isCondemned: false }, steps);
  return { isBlocked };
}

/** A claim that goes with an earlier pod, or is on its way out, has to be gone first. */
function planMissing(snapshot: SetSnapshot, ordinal: number, steps: Step[]): void {
  const pod = draftOf(snapshot, ordinal);
  const drafts = draftClaims(snapshot.set, ordinal);
  const isHeldUp = drafts.some(({ metadata }) => {
    const claim = snapshot.claim(metadata.name);
    return claim !== undefined && (isDeleting(claim) || isStaleClaim(claim, pod.metadata.name));
  });
  if (isHeldUp) return;
  const claims = drafts.filter(({ metadata }) => !snapshot.claim(metadata.name));
  steps.push({ do: "create", pod, claims });
}

function planOwners(
  snapshot: SetSnapshot,
  pod: Pod,
  { isCondemned }: { readonly isCondemned: boolean },
  steps: Step[],
): void {
  const { set } = snapshot;
  for (const { metadata } of draftClaims(set, ordinalOf(set, pod) ?? 0)) {
    const claim = snapshot.claim(metadata.name);
    if (claim === undefined) continue;
    const verdict = judgeClaim(claim, { set, pod, isCondemned });
    if (verdict.kind === "foreign") steps.push({ do: "leave", claim, owner: verdict.owner });
    if (verdict.kind === "wrong")
      steps.push({ do: "own", pod, claim, ownerReferences: verdict.ownerReferences });
  }
}

/** Pods of an older revision that go now, the highest ordinal first. */
function planUpdate(snapshot: SetSnapshot, replicas: readonly Place[]): readonly Pod[] {
  const { set, update } = snapshot;
  const { partition = 0, maxUnavailable } = set.spec?.updateStrategy?.rollingUpdate ?? {};
  const places = replicas.filter(({ ordinal }) => ordinal >= startOf(set) + partition).reverse();
  const isOld = (pod: Pod) => revisionOf(pod) !== update.metadata.name && !isDeleting(pod);
  if (maxUnavailable === undefined) {
    for (const { pod } of places) {
      if (pod !== undefined && isOld(pod)) return [pod];
      if (!serves(snapshot, pod)) return [];
    }
    return [];
  }
  const unavailable = replicas.filter(({ pod }) => !serves(snapshot, pod)).length;
  const budget = Math.max(1, resolveCount(maxUnavailable, replicas.length, "up")) - unavailable;
  const old = places.flatMap(({ pod }) => (pod !== undefined && isOld(pod) ? [pod] : []));
  return old.slice(0, Math.max(0, budget));
}

/** Below the partition a pod comes back as it was; elsewhere it comes back new. */
function draftOf(snapshot: SetSnapshot, ordinal: number): Pod {
  const { set, current, update } = snapshot;
  const revision = isHeldBack(set, ordinal) ? current : update;
  return draftPod(set, ordinal, { template: templateOf(revision), revision: revision.metadata.name });
}

function isHeldBack(set: StatefulSet, ordinal: number): boolean {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === "OnDelete") return false;
  const count =
    rollingUpdate === undefined ? (set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
  return ordinal < startOf(set) + count;
}

/** Running, ready for long enough, and staying. */
function serves({ set, now }: SetSnapshot, pod: Pod | undefined): boolean {
  return (
    pod !== undefined &&
    !isDeleting(pod) &&
    isRunningAndReady(pod) &&
    isAvailable(pod, set.spec?.minReadySeconds, now)
  );
}

export function isRunningAndReady(pod: Pod): boolean {
  return pod.status?.phase === "Running" && isReady(pod);
}
