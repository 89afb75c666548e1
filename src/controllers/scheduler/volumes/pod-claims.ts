import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import { controllerOf, isDeleting } from "#kube/owner";
import type { Refusal } from "../filters/candidate.ts";
import type { PodInfo } from "../pod-info.ts";
import { classOf, isBound, type VolumeSource } from "./volume-source.ts";

export interface BoundClaim {
  readonly claim: PersistentVolumeClaim;
  /** Undefined when it is not there. */
  readonly volume: PersistentVolume | undefined;
}

/** The claims of one pod, and what becomes of them. */
export class ClaimsOfPod {
  readonly bound: readonly BoundClaim[];
  /** Those that get a volume once the pod has a node. */
  readonly waiting: readonly PersistentVolumeClaim[];
  readonly #single: ReadonlySet<string>;
  #users: number;

  constructor(
    { bound, waiting }: Pick<ClaimsOfPod, "bound" | "waiting">,
    single: ReadonlySet<string>,
    users: number,
  ) {
    this.bound = bound;
    this.waiting = waiting;
    this.#single = single;
    this.#users = users;
  }

  /** Whether another pod holds a claim that only one may hold. */
  get isInUse(): boolean {
    return this.#users > 0;
  }

  shift(other: PodInfo, by: 1 | -1): void {
    for (const claim of other.claims) if (this.#single.has(claim)) this.#users += by;
  }
}

/** Looks the pod's claims up; a refusal when one of them rules out every node for now. */
export function claimsOfPod(
  info: PodInfo,
  source: VolumeSource,
  usersOf: (claim: string) => number,
): ClaimsOfPod | Refusal {
  const bound: BoundClaim[] = [];
  const waiting: PersistentVolumeClaim[] = [];
  const single = new Set<string>();
  for (const key of info.claims) {
    const claim = source.claim(key);
    const problem = problemWith(claim, key, info);
    if (problem !== undefined) return refused(problem);
    if (claim === undefined) continue;
    if (claim.spec?.accessModes?.includes("ReadWriteOncePod")) single.add(key);
    if (isBound(claim)) bound.push({ claim, volume: source.volume(claim.spec?.volumeName ?? "") });
    else if (waitsForConsumer(claim, source)) waiting.push(claim);
    else return refused("pod has unbound immediate PersistentVolumeClaims");
  }
  const users = [...single].reduce((sum, key) => sum + usersOf(key), 0);
  return new ClaimsOfPod({ bound, waiting }, single, users);
}

function refused(reason: string): Refusal {
  return { plugin: "VolumeBinding", reasons: [reason], isFinal: true };
}

function problemWith(
  claim: PersistentVolumeClaim | undefined,
  key: string,
  { pod }: PodInfo,
): string | undefined {
  const name = key.slice(key.indexOf("/") + 1);
  const owner = ownerNeeded(pod, name);
  if (claim === undefined)
    return owner
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${JSON.stringify(name)}`
      : `persistentvolumeclaim ${JSON.stringify(name)} not found`;
  if (claim.status?.phase === "Lost")
    return `persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume ${JSON.stringify(claim.spec?.volumeName ?? "")}`;
  if (isDeleting(claim)) return `persistentvolumeclaim ${JSON.stringify(name)} is being deleted`;
  if (owner && controllerOf(claim)?.uid !== pod.metadata.uid)
    return `PVC ${key} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
  return undefined;
}

/** A claim made for an ephemeral volume has to be the pod's own, not somebody's with the same name. */
function ownerNeeded({ metadata, spec }: PodInfo["pod"], claim: string): boolean {
  return (spec?.volumes ?? []).some(
    ({ name, ephemeral }) => ephemeral && `${metadata.name}-${name}` === claim,
  );
}

function waitsForConsumer(claim: PersistentVolumeClaim, source: VolumeSource): boolean {
  if (claim.spec?.volumeName) return false;
  return source.storageClass(classOf(claim))?.volumeBindingMode === "WaitForFirstConsumer";
}
