import { randomUUID } from "node:crypto";
import { readIfThere, writeFileAtomic } from "#join/file";

/** The same at every start: this server's predecessor is over when it starts, and need not be waited for. */
export function ownId(path: string): string {
  const stored = readIfThere(path)?.trim();
  if (stored) return stored;
  const fresh = randomUUID();
  writeFileAtomic(path, fresh, 0o600);
  return fresh;
}
