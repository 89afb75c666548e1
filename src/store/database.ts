import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Change, Loaded, Write, WriteResult } from "./store.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    value TEXT
  );
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;
/** How many revisions one step of compaction looks at, so that writes never wait long behind it. */
const COMPACT_STEP = 1000;

/** The log of all changes in one SQLite file: a row a change, its row id the revision. WAL with a full sync, so that what was committed
 *  survives kill -9 and power cuts. Locked as long as it is open, because a second writer's revisions would be nobody's to
 *  tell. Synchronous: it lives in a thread of its own. */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #revisions = new Map<string, number>();
  #compacted: number;

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
    this.#db.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;");
    this.#db.exec(SCHEMA);
    this.#insert = this.#db.prepare("INSERT INTO log (key, previous, value) VALUES (?, ?, ?)");
    this.#compacted = this.#fact("compacted");
  }

  /** Reads the whole log. Called once, before any write. */
  load(): Loaded {
    const changes: Change[] = [];
    for (const row of this.#db.prepare("SELECT revision, key, value FROM log ORDER BY revision").iterate()) {
      const { revision, key, value } = row;
      if (typeof revision !== "number" || typeof key !== "string")
        throw new Error("broken invariant: log row");
      changes.push({ revision, key, value: typeof value === "string" ? value : undefined });
      if (value === null) this.#revisions.delete(key);
      else this.#revisions.set(key, revision);
    }
    return { changes, revision: this.#newest(), compacted: this.#compacted };
  }

  /** Writes all of `writes` with one sync to disk; each succeeds or conflicts by itself. @throws when the disk refuses: none happened */
  commit(writes: readonly Write[]): WriteResult[] {
    const undo: [string, number | undefined][] = [];
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const results = writes.map((write) => this.#apply(write, undo));
      this.#db.exec("COMMIT");
      return results;
    } catch (error) {
      for (const [key, revision] of undo.reverse()) this.#remember(key, revision);
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Does one bounded step of forgetting; true when there is more to do. */
  compactStep(upTo: number): boolean {
    const from = this.#compacted;
    const to = Math.min(upTo, from + COMPACT_STEP);
    if (to <= from) return false;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      this.#db
        .prepare(
          "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ?)",
        )
        .run(from, to);
      this.#db
        .prepare("DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL")
        .run(from, to);
      this.#db.prepare("INSERT OR REPLACE INTO facts VALUES ('compacted', ?)").run(to);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    this.#compacted = to;
    return to < upTo;
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

  #newest(): number {
    const row = this.#db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").get();
    return typeof row?.["seq"] === "number" ? row["seq"] : 0;
  }

  #fact(name: string): number {
    const row = this.#db.prepare("SELECT value FROM facts WHERE name = ?").get(name);
    return typeof row?.["value"] === "number" ? row["value"] : 0;
  }
}
