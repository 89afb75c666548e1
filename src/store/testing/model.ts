import assert from "node:assert/strict";
import type { Database } from "../database.ts";
import type { Change, Write, WriteResult } from "../store.ts";

/** A seeded stream of whole numbers below `n`. */
export type Random = (n: number) => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** What a store must be, told in maps. */
export class Model {
  readonly present = new Map<string, { readonly revision: number; readonly value: string }>();
  changes: Change[] = [];
  revision = 0;
  compacted = 0;

  write({ key, value, expected }: Write): WriteResult {
    const at = this.present.get(key)?.revision ?? 0;
    if ((expected !== undefined && expected !== at) || (value === undefined && at === 0))
      return { kind: "conflict", revision: at };
    const revision = ++this.revision;
    this.changes.push({ revision, key, value });
    if (value === undefined) this.present.delete(key);
    else this.present.set(key, { revision, value });
    return { kind: "written", revision };
  }

  compact(upTo: number): void {
    this.compacted = Math.max(this.compacted, Math.min(upTo, this.revision));
    const next = new Map<string, number>();
    for (const { key, revision } of this.changes.toReversed()) {
      const superseded = next.get(key) ?? Number.POSITIVE_INFINITY;
      this.#superseded.set(revision, superseded);
      next.set(key, revision);
    }
    this.changes = this.changes.filter(
      ({ revision, value }) =>
        (this.#superseded.get(revision) ?? 0) > this.compacted &&
        (value !== undefined || revision > this.compacted),
    );
  }

  readonly #superseded = new Map<number, number>();

  copy(): Model {
    const other = new Model();
    for (const [key, state] of this.present) other.present.set(key, state);
    other.changes = [...this.changes];
    other.revision = this.revision;
    other.compacted = this.compacted;
    return other;
  }
}

/** Fails unless a database that was just opened holds exactly what the model does. */
export function assertHolds(database: Database, model: Model, where: string): void {
  const changes = [...database.load()].flat();
  assert.deepEqual(changes, model.changes, where);
  assert.deepEqual(database.loaded, { revision: model.revision, compacted: model.compacted }, where);
}

export function randomWrite(random: Random, model: Model): Write {
  const key = `/registry/${random(12)}`;
  const at = model.present.get(key)?.revision ?? 0;
  const expected = [undefined, at, at, at, 0, random(model.revision + 2)][random(6)];
  const value = random(4) === 0 ? undefined : `${random(1e9)}`.repeat(1 + random(700));
  return { key, value, expected };
}
