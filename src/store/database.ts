import { DatabaseSync, type StatementSync } from "node:sqlite";
import { prepareFile } from "./file.ts";
import type { Change, Loaded, Write, WriteResult } from "./store.ts";

/** How many revisions one step of compaction looks at: a few milliseconds, so that writes never wait long behind it. */
const COMPACT_STEP = 250;
/** How many changes, or characters of them, are read at once. */
const PIECE_CHANGES = 1000;
const PIECE_CHARS = 1024 * 1024;
/** The file gives room back to the disk once this share of it is empty; less is kept for what comes next. */
const EMPTY_SHARE = 0.5;
const SHRINK_PAGES = 256;

/** The log of all changes in one SQLite file: a row a change, its row id the revision. WAL with a full sync, so that what was committed
 *  survives kill -9 and power cuts. Locked as long as it is open, because a second writer's revisions would be nobody's to
 *  tell. Synchronous: it lives in a thread of its own. */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #revisions = new Map<string, number>();
  #compacted: number;

  /** @throws {Fault} FileUnknown when the file is another program's or from a later version */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    try {
      prepareFile(this.#db);
      this.#insert = this.#db.prepare("INSERT INTO log (key, previous, value) VALUES (?, ?, ?)");
      this.#compacted = this.#fact("compacted");
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** How far the log goes. */
  get loaded(): Loaded {
    return { revision: this.#newest(), compacted: this.#compacted };
  }

  /** Reads the whole log, in pieces. Run through once, before any write. */
  *load(): Generator<readonly Change[]> {
    let piece: Change[] = [];
    let chars = 0;
    for (const row of this.#db.prepare("SELECT revision, key, value FROM log ORDER BY revision").iterate()) {
      const { revision, key, value } = row;
      if (typeof revision !== "number" || typeof key !== "string")
        throw new Error("broken invariant: log row");
      piece.push({ revision, key, value: typeof value === "string" ? value : undefined });
      this.#remember(key, value === null ? undefined : revision);
      chars += typeof value === "string" ? value.length : 0;
      if (piece.length < PIECE_CHANGES && chars < PIECE_CHARS) continue;
      yield piece;
      piece = [];
      chars = 0;
    }
    if (piece.length > 0) yield piece;
  }

  /** Writes all of `writes` with one sync to disk; each succeeds or conflicts by itself. @throws when the disk refuses: none happened */
  commit(writes: readonly Write[]): WriteResult[] {
    const undo: [string, number | undefined][] = [];
    try {
      return this.#transaction(() => writes.map((write) => this.#apply(write, undo)));
    } catch (error) {
      for (const [key, revision] of undo.reverse()) this.#remember(key, revision);
      throw error;
    }
  }

  /** Does one bounded step of forgetting; true when there is more to do. */
  compactStep(upTo: number): boolean {
    const from = this.#compacted;
    const to = Math.min(upTo, this.#newest(), from + COMPACT_STEP);
    if (to <= from) return false;
    this.#unsynced(() => {
      this.#db
        .prepare(
          "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ?)",
        )
        .run(from, to);
      this.#db
        .prepare("DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL")
        .run(from, to);
      this.#db.prepare("INSERT OR REPLACE INTO facts VALUES ('compacted', ?)").run(to);
    });
    this.#compacted = to;
    return to < upTo;
  }

  /** Gives some empty pages back to the disk when much of the file is empty; true when there is more to give. */
  shrinkStep(): boolean {
    const empty = this.#pragma("freelist_count");
    if (empty <= SHRINK_PAGES || empty < this.#pragma("page_count") * EMPTY_SHARE) return false;
    this.#unsynced(() => this.#db.exec(`PRAGMA incremental_vacuum(${SHRINK_PAGES})`));
    return this.#pragma("freelist_count") < empty;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #apply(write: Write, undo: [string, number | undefined][]): WriteResult {
    const previous = this.#revisions.get(write.key) ?? 0;
    if (write.expected !== undefined && write.expected !== previous)
      return { kind: "conflict", revision: previous };
    if (write.value === undefined && previous === 0) return { kind: "conflict", revision: 0 };
    const { lastInsertRowid } = this.#insert.run(write.key, previous, write.value ?? null);
    const revision = Number(lastInsertRowid);
    undo.push([write.key, previous === 0 ? undefined : previous]);
    this.#remember(write.key, write.value === undefined ? undefined : revision);
    return { kind: "written", revision };
  }

  #remember(key: string, revision: number | undefined): void {
    if (revision === undefined) this.#revisions.delete(key);
    else this.#revisions.set(key, revision);
  }

  /** Without a sync of its own: what is lost of it in a power cut is done again, and the next write syncs it along. */
  #unsynced(work: () => void): void {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      this.#transaction(work);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #newest(): number {
    const row = this.#db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").get();
    return typeof row?.["seq"] === "number" ? row["seq"] : 0;
  }

  #fact(name: string): number {
    const row = this.#db.prepare("SELECT value FROM facts WHERE name = ?").get(name);
    return typeof row?.["value"] === "number" ? row["value"] : 0;
  }

  #pragma(name: "freelist_count" | "page_count"): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  }
}
