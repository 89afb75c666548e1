import type { DatabaseSync } from "node:sqlite";
import { Fault } from "#fault/fault";

/** Written into the file's header; a later layout of tables has a higher number. */
const LAYOUT = 1;
/** A WAL that one great burst made long is cut to this when it begins anew. */
const WAL_BYTES = 16 * 1024 * 1024;
const TABLES = `
  CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    value TEXT
  );
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

/** Makes a new file ours, and takes one of ours: locked, in WAL mode, every commit synced. Another's is left as it is.
 *  @throws {Fault} FileUnknown for a file of another program, or of a later version of this one */
export function prepareFile(db: DatabaseSync): void {
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => name);
  if (tables.length > 0 && !(tables.includes("log") && tables.includes("facts")))
    throw new Fault("FileUnknown", "the file is another program's database; choose another --data-dir");
  const layout = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (layout > LAYOUT)
    throw new Fault(
      "FileUnknown",
      `a later version wrote the file (layout ${layout}, and this one knows ${LAYOUT}); run that version`,
    );
  // Counts only before the first table is made; said later, it would rewrite the header of a sound file for nothing.
  if (tables.length === 0) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = ${WAL_BYTES};`);
  db.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;");
  if (layout < LAYOUT) db.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${LAYOUT}; COMMIT;`);
}
