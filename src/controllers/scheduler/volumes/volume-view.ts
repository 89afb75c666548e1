import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import type { Plugin, Refusal } from "../filters/candidate.ts";
import type { NodeView } from "../node-view.ts";
import type { PodInfo } from "../pod-info.ts";
import { attachments } from "./attachments.ts";
import { canProvision, hasRoom, isReachable, matchingVolume, wantedSize } from "./matching.ts";
import { type ClaimsOfPod, claimsOfPod } from "./pod-claims.ts";
import { classOf, SELECTED_NODE, type VolumeSource } from "./volume-source.ts";
import { isInZone } from "./zones.ts";

/** What a pod's claims get on its node: volumes that exist, and volumes to be made. */
export interface Reservation {
  readonly nodeName: string;
  readonly bindings: readonly {
    readonly claim: PersistentVolumeClaim;
    readonly volume: PersistentVolume;
  }[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

/** Storage as the scheduler sees it: what the API knows, and what pods placed just now have been promised. */
export class VolumeView {
  readonly #source: VolumeSource;
  readonly #usersOf: (claim: string) => number;
  /** Volumes promised to a claim, by name; and the node a claim will have its volume made for, by `namespace/name`. */
  readonly #promised = new Map<string, string>();
  readonly #selected = new Map<string, string>();

  constructor(source: VolumeSource, usersOf: (claim: string) => number) {
    this.#source = source;
    this.#usersOf = usersOf;
  }

  claimsOf(info: PodInfo): ClaimsOfPod | Refusal {
    return claimsOfPod(info, this.#source, this.#usersOf);
  }

  /** The node attaches no more volumes of some driver than it can. */
  refuseOverLimit({ bound, waiting }: ClaimsOfPod, view: NodeView): Refusal | undefined {
    const drivers = this.#source.csiNode(view.name)?.spec?.drivers ?? [];
    if (!drivers.some(({ allocatable }) => allocatable?.count !== undefined)) return undefined;
    const here = attachments(
      [...view.claiming.values()].flatMap(({ claims }) =>
        claims.flatMap((key) => this.#source.claim(key) ?? []),
      ),
      this.#source,
    );
    const wanted = attachments([...bound.map(({ claim }) => claim), ...waiting], this.#source);
    for (const { name, allocatable } of drivers) {
      const held = here.get(name) ?? new Set();
      const added = (wanted.get(name) ?? new Set<string>()).difference(held).size;
      const isOver = added > 0 && held.size + added > (allocatable?.count ?? Number.POSITIVE_INFINITY);
      if (isOver) return refusal("NodeVolumeLimits", ["node(s) exceed max volume count"], false);
    }
    return undefined;
  }

  refuseUnbound(claims: ClaimsOfPod, view: NodeView): Refusal | undefined {
    const reasons: string[] = [];
    if (claims.bound.some(({ volume }) => volume && !isReachable(volume, view)))
      reasons.push("node(s) didn't match PersistentVolume's node affinity");
    const found = claims.waiting.length > 0 ? this.#find(claims.waiting, view) : undefined;
    if (typeof found === "string") reasons.push(found);
    if (claims.bound.some(({ volume }) => volume === undefined))
      reasons.push("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
    return reasons.length === 0 ? undefined : refusal("VolumeBinding", reasons, true);
  }

  refuseOtherZone({ bound }: ClaimsOfPod, { labels }: NodeView): Refusal | undefined {
    const isElsewhere = bound.some(({ volume }) => volume && !isInZone(volume, labels));
    return isElsewhere ? refusal("VolumeZone", ["node(s) had no available volume zone"], true) : undefined;
  }

  /** Promises the claims what they get on the node; undefined when there is nothing to do for them. */
  reserve({ waiting }: ClaimsOfPod, view: NodeView): Reservation | undefined {
    if (waiting.length === 0) return undefined;
    const found = this.#find(waiting, view);
    if (typeof found === "string") throw new Error(`broken invariant: ${found}`);
    for (const { claim, volume } of found.bindings) this.#promised.set(volume.metadata.name, keyOf(claim));
    for (const claim of found.provisions) this.#selected.set(keyOf(claim), view.name);
    return { nodeName: view.name, ...found };
  }

  release({ bindings, provisions }: Reservation): void {
    for (const { volume } of bindings) this.#promised.delete(volume.metadata.name);
    for (const claim of provisions) this.#selected.delete(keyOf(claim));
  }

  /** What the claims would get on the node, or why they get nothing there. */
  #find(
    claims: readonly PersistentVolumeClaim[],
    view: NodeView,
  ): Pick<Reservation, "bindings" | "provisions"> | string {
    const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
    const provisions: PersistentVolumeClaim[] = [];
    const taken = new Set<string>();
    for (const claim of claims.toSorted((a, b) => wantedSize(a) - wantedSize(b))) {
      const selected = this.#selected.get(keyOf(claim)) ?? claim.metadata.annotations?.[SELECTED_NODE];
      if (selected !== undefined && selected !== view.name)
        return "node(s) didn't find available persistent volumes to bind";
      const volume = selected === undefined ? this.#free(claim, view, taken) : undefined;
      if (volume === undefined) provisions.push(claim);
      else {
        taken.add(volume.metadata.name);
        bindings.push({ claim, volume });
      }
    }
    return this.#refuseMaking(provisions, view) ?? { bindings, provisions };
  }

  #free(
    claim: PersistentVolumeClaim,
    view: NodeView,
    taken: ReadonlySet<string>,
  ): PersistentVolume | undefined {
    const key = keyOf(claim);
    const open = this.#source.volumesOfClass(classOf(claim)).filter(({ metadata: { name } }) => {
      const promised = this.#promised.get(name);
      return !taken.has(name) && (promised === undefined || promised === key);
    });
    return matchingVolume(claim, open, view);
  }

  #refuseMaking(claims: readonly PersistentVolumeClaim[], view: NodeView): string | undefined {
    for (const claim of claims) {
      const storageClass = this.#source.storageClass(classOf(claim));
      if (!canProvision(storageClass, view))
        return "node(s) didn't find available persistent volumes to bind";
      const capacities = this.#source.capacities(storageClass);
      if (capacities && !hasRoom(capacities, claim, view)) return "node(s) did not have enough free storage";
    }
    return undefined;
  }
}

function refusal(plugin: Plugin, reasons: readonly string[], isFinal: boolean): Refusal {
  return { plugin, reasons, isFinal };
}
