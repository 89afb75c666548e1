import type { EndpointSlice } from "#kube/generated/types";
import type { Change } from "#kube/informer";
import { keyOf } from "#kube/object";
import { ENDPOINT_SLICES } from "#kube/resources";
import type { ControllerContext } from "../context.ts";
import { Ledger } from "../ledger.ts";
import type { SlicePlan } from "./plan.ts";

/** Writes slices, and knows its own writes again when the copy shows them: only what others do to slices needs another look. */
export class SliceWriter {
  readonly #context: ControllerContext;
  readonly #ledger: Ledger<EndpointSlice>;
  /** Versions that were written here and not yet seen. */
  readonly #own = new Set<string>();
  /** Owners that were not looked at, because the copy was behind. */
  readonly #held = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#ledger = new Ledger(context.informers.endpointSlices, context.clock);
  }

  /** Whether the copy shows everything that was written for that owner. If not, `concerns` tells when it is time to look again. */
  isSettled(key: string): boolean {
    const isSettled = this.#ledger.isSettled(key);
    if (isSettled) this.#held.delete(key);
    else this.#held.add(key);
    return isSettled;
  }

  /** Whether a change of one of the owner's slices calls for a look. */
  concerns(key: string, change: Change<EndpointSlice>): boolean {
    if (change.type === "removed") return true;
    const isOwn = this.#own.delete(versionOf(change.object));
    return !isOwn || this.#held.has(key);
  }

  /** Whether a look was put off. */
  isHeld(key: string): boolean {
    return this.#held.has(key);
  }

  forget(key: string): void {
    this.#ledger.forget(key);
    this.#held.delete(key);
  }

  /** Creates, then updates, then deletes: readers cope with an endpoint seen twice, not with one missing. */
  async apply(key: string, plan: SlicePlan): Promise<void> {
    const { client } = this.#context;
    for (const slice of plan.create) this.#wrote(key, await client.create(ENDPOINT_SLICES, slice));
    for (const slice of plan.update) this.#wrote(key, await client.replace(ENDPOINT_SLICES, slice));
    for (const slice of plan.delete) {
      await client.delete(ENDPOINT_SLICES, slice.metadata);
      this.#ledger.deleted(key, keyOf(slice), slice.metadata.uid);
    }
  }

  #wrote(key: string, slice: EndpointSlice): void {
    this.#ledger.created(key, slice);
    const seen = this.#context.informers.endpointSlices.get(keyOf(slice));
    if (Number(seen?.metadata.resourceVersion ?? 0) < Number(slice.metadata.resourceVersion ?? 0))
      this.#own.add(versionOf(slice));
  }
}

function versionOf({ metadata }: EndpointSlice): string {
  return `${metadata.uid}/${metadata.resourceVersion}`;
}
