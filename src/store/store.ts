import type { Fault } from "#fault/fault";

/** One change of one key; `value` is undefined when the key was deleted. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly value: string | undefined;
}

export interface Write {
  readonly key: string;
  /** The new text, or undefined to delete the key. */
  readonly value: string | undefined;
  /** The revision the key must be at: 0 means "must be absent"; undefined means "whatever it is". */
  readonly expected: number | undefined;
}

export type WriteResult =
  | { readonly kind: "written"; readonly revision: number }
  /** Someone else wrote first: the key is at `revision` now (0 when absent). Nothing was changed. */
  | { readonly kind: "conflict"; readonly revision: number };

/** How far the store had come when it was opened. */
export interface Loaded {
  /** The newest revision ever given out, even if its change is forgotten. */
  readonly revision: number;
  /** Changes up to and including this revision may be missing from the replay (superseded states are). */
  readonly compacted: number;
}

export type StoreCode = "StoreClosed" | "StoreRefused" | "StoreUnusable" | "StoreEnded";

/** A key-value store with one revision counter over all keys, in the manner of etcd. */
export interface Store extends AsyncDisposable {
  readonly loaded: Loaded;
  /** Gives the changes that were remembered when the store was opened, oldest first, in pieces: together they make the present state. Once only;
   *  each piece is let go when the next is asked for. */
  replay(): Iterable<readonly Change[]>;
  /** Resolves once the write can survive a power cut. `subscribe`d listeners have heard of it by then.
   *  @throws {Fault} StoreRefused when the disk refuses: nothing happened; StoreClosed */
  write(write: Write): Promise<WriteResult>;
  /** Calls `listener` with every committed change, in revision order, without gaps. One listener only. */
  subscribe(listener: (changes: readonly Change[]) => void): void;
  /** Resolves, with why, when the store ends unasked: nothing can be written any more. Never resolves otherwise. */
  readonly ended: Promise<Fault<StoreCode>>;
  /** Forgets states that were superseded at or before `revision`. */
  compact(revision: number): Promise<void>;
}
