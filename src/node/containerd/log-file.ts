import {
  closeSync,
  copyFileSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";

const MOST_BYTES = 50 * 1024 * 1024;
const KEPT = 3;
const TAIL_BYTES = 16 * 1024;

/** Moves a log that has grown over 50 MB aside, as `<path>.1`, and keeps three of them. Its writer holds it open for
 *  appending, so it is copied and emptied; a line written in between is lost. */
export function rotateLog(path: string, mostBytes = MOST_BYTES): void {
  if (sizeOf(path) <= mostBytes) return;
  rmSync(`${path}.${KEPT}`, { force: true });
  for (let i = KEPT - 1; i >= 1; i--)
    if (sizeOf(`${path}.${i}`) > 0) renameSync(`${path}.${i}`, `${path}.${i + 1}`);
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** What the log says at its end, for the line that says why its writer ended; nothing from before the place `from` in it. */
export function lastLines(path: string, count: number, from = 0): readonly string[] {
  const size = sizeOf(path);
  if (size <= from) return [];
  const file = openSync(path, "r");
  try {
    const tail = Buffer.alloc(Math.min(size - from, TAIL_BYTES));
    const length = readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString("utf8", 0, length).trimEnd().split("\n").slice(-count);
  } finally {
    closeSync(file);
  }
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
