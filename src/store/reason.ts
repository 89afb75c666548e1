/** SQLite's primary result codes that an owner of a disk can do something about. @see sqlite.org/rescode.html */
const REASONS: Readonly<Record<number, string>> = {
  5: "another process has it open; end the server that runs with the same --data-dir",
  8: "it may not be written; check that its disk is mounted for writing",
  11: "the file is damaged; put a copy in its place",
  13: "the disk is full; free some space on it",
  14: "the file cannot be opened or made; check its folder",
  26: "the file is no SQLite database; put a copy in its place",
};

/** Why SQLite refused, with what to do where that is known. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  const text = error instanceof Error ? error.message : String(error);
  return REASONS[code] ?? text;
}
