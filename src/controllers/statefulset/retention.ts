import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { controllerOf, controllerRef } from "#kube/owner";
import { PODS, STATEFUL_SETS } from "#kube/resources";

/** Who a claim goes with: nobody, its set, or its pod. */
type Keeper = "nobody" | "set" | "pod";

export type ClaimVerdict =
  | { readonly kind: "right" }
  /** Somebody else controls it, so we leave it alone. */
  | { readonly kind: "foreign"; readonly owner: OwnerReference }
  | { readonly kind: "wrong"; readonly ownerReferences: readonly OwnerReference[] };

/** Whether a claim has the owner its set's retention policy gives it. A pod that is not condemned never owns its claim. */
export function judgeClaim(
  claim: PersistentVolumeClaim,
  of: { readonly set: StatefulSet; readonly pod: Pod; readonly isCondemned: boolean },
): ClaimVerdict {
  const refs = claim.metadata.ownerReferences ?? [];
  const isOurs = (ref: OwnerReference) => isRef(ref, STATEFUL_SETS, of.set) || isRef(ref, PODS, of.pod);
  const owner = controllerOf(claim);
  if (owner !== undefined && !isOurs(owner)) return { kind: "foreign", owner };
  const keeper = keeperOf(of.set, of.isCondemned);
  const wanted = keeper === "nobody" ? undefined : keeperRef(keeper, of);
  const ours = refs.filter(isOurs);
  const isRight =
    wanted === undefined
      ? ours.length === 0
      : ours.length === 1 && ours[0]?.uid === wanted.uid && ours[0]?.controller === true;
  if (isRight) return { kind: "right" };
  return {
    kind: "wrong",
    ownerReferences: [...refs.filter((ref) => !isOurs(ref)), ...(wanted ? [wanted] : [])],
  };
}

/** The owners a claim is made with. */
export function firstOwners(set: StatefulSet): { ownerReferences?: readonly OwnerReference[] } {
  return keeperOf(set, false) === "set" ? { ownerReferences: [controllerRef(STATEFUL_SETS, set)] } : {};
}

/** A claim that goes with an earlier pod of that name will be collected: the next pod must not get it. */
export function isStaleClaim(claim: PersistentVolumeClaim, podName: string): boolean {
  return (claim.metadata.ownerReferences ?? []).some(
    ({ kind, apiVersion, name }) => kind === "Pod" && apiVersion === "v1" && name === podName,
  );
}

function keeperOf({ spec }: StatefulSet, isCondemned: boolean): Keeper {
  const { whenDeleted = "Retain", whenScaled = "Retain" } = spec?.persistentVolumeClaimRetentionPolicy ?? {};
  if (isCondemned && whenScaled === "Delete") return "pod";
  return whenDeleted === "Delete" ? "set" : "nobody";
}

function keeperRef(
  keeper: "set" | "pod",
  { set, pod }: { readonly set: StatefulSet; readonly pod: Pod },
): OwnerReference {
  return keeper === "set" ? controllerRef(STATEFUL_SETS, set) : controllerRef(PODS, pod);
}

/** References by name count too: one with an old uid is ours to remove. */
function isRef(ref: OwnerReference, resource: Resource, object: KubeObject): boolean {
  return ref.kind === resource.kind && ref.name === object.metadata.name;
}
