import type { ServedResource } from "#kube/client";
import type { OwnerReference } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";

/** An object as far as ownership goes. */
export interface Item {
  readonly uid: string;
  readonly resource: ServedResource;
  readonly object: KubeObject;
}

/** Who owns whom, by uid. Owners that no informer shows still have dependents here. */
export class OwnerGraph {
  readonly #items = new Map<string, Item>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): Item | undefined {
    return this.#items.get(uid);
  }

  put(item: Item): void {
    this.remove(item.uid);
    this.#items.set(item.uid, item);
    for (const { uid } of ownersOf(item.object)) {
      const peers = this.#dependents.get(uid) ?? new Set<string>();
      peers.add(item.uid);
      this.#dependents.set(uid, peers);
    }
  }

  remove(uid: string): void {
    const item = this.#items.get(uid);
    if (item === undefined) return;
    this.#items.delete(uid);
    for (const owner of ownersOf(item.object)) {
      const peers = this.#dependents.get(owner.uid);
      peers?.delete(uid);
      if (peers?.size === 0) this.#dependents.delete(owner.uid);
    }
  }

  dependentsOf(uid: string): readonly Item[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#items.get(dependent) ?? []);
  }

  /** Dependents that hold up the foreground deletion of their owner. */
  blockersOf(uid: string): readonly Item[] {
    return this.dependentsOf(uid).filter(({ object }) =>
      ownersOf(object).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
  }
}

export function ownersOf({ metadata }: KubeObject): readonly OwnerReference[] {
  return metadata.ownerReferences ?? [];
}

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

export function isForeground({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(FOREGROUND);
}

export function isOrphaning({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(ORPHAN);
}
