import type { Change, Loaded, Write, WriteResult } from "./store.ts";

/** A write, and the number that its outcome is told under. */
export interface NumberedWrite extends Write {
  readonly id: number;
}

/** What the caller's thread says to the thread that owns the database. */
export type ToDatabase =
  | { readonly op: "write"; readonly writes: readonly NumberedWrite[] }
  | { readonly op: "compact"; readonly id: number; readonly revision: number }
  | { readonly op: "close" };

export type FromDatabase =
  /** The file cannot be used; the thread ends. */
  | { readonly op: "unusable"; readonly why: string }
  /** A piece of what the file remembers; oldest first. */
  | { readonly op: "loading"; readonly changes: readonly Change[] }
  | { readonly op: "loaded"; readonly loaded: Loaded }
  /** The outcome of one commit, in the order of the writes' revisions. */
  | {
      readonly op: "committed";
      readonly results: readonly { readonly id: number; readonly result: WriteResult }[];
    }
  | { readonly op: "compacted"; readonly id: number }
  /** Nothing of these requests happened. */
  | { readonly op: "refused"; readonly ids: readonly number[]; readonly message: string }
  | { readonly op: "closed" };
