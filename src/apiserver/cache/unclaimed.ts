import type { Change } from "#store/store";

/** Stored changes of resources that nobody serves (yet): a custom resource is in the store before its definition has been read. */
export class Unclaimed {
  readonly #byPrefix = new Map<string, Kept>();
  readonly #forgotten: number;

  /** `forgotten`: changes up to and including this revision may be missing from what comes. */
  constructor(forgotten: number) {
    this.#forgotten = forgotten;
  }

  keep(prefix: string, change: Change): void {
    this.#at(prefix).changes.push(change);
  }

  /** Puts back what was claimed: its present states, oldest first; what led to them is forgotten. */
  putBack(prefix: string, kept: Kept): void {
    this.#byPrefix.set(prefix, kept);
  }

  /** Hands over what is kept under `prefix`. */
  claim(prefix: string): Kept {
    const kept = this.#at(prefix);
    this.#byPrefix.delete(prefix);
    return kept;
  }

  /** Drops states that were superseded at or before `revision`. */
  forget(revision: number): void {
    for (const kept of this.#byPrefix.values()) {
      const newest = new Map(kept.changes.map((change) => [change.key, change]));
      const isNeeded = (change: Change) =>
        change.revision > revision || (newest.get(change.key) === change && change.value !== undefined);
      kept.changes = kept.changes.filter(isNeeded);
      kept.forgotten = Math.max(kept.forgotten, revision);
    }
  }

  #at(prefix: string): Kept {
    const known = this.#byPrefix.get(prefix);
    if (known !== undefined) return known;
    const made: Kept = { changes: [], forgotten: this.#forgotten };
    this.#byPrefix.set(prefix, made);
    return made;
  }
}

interface Kept {
  changes: Change[];
  forgotten: number;
}
