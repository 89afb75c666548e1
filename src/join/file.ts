import { keepWhole, readIfThere as readPlainly } from "#disk/whole-file";
import { explain, Fault } from "#fault/fault";

/** Writes a file so that a reader, or a crash, sees the old content or the new one and nothing between. What stands already
 *  is left alone, so that a full disk does not keep a node from starting again. @throws {Fault} BadFile */
export function writeFileAtomic(path: string, content: string, mode: number): void {
  try {
    keepWhole(path, content, { mode, isFlushed: true });
  } catch (cause) {
    throw new Fault("BadFile", `Cannot write ${path}: ${reasonOf(cause)}`);
  }
}

/** @throws {Fault} BadFile when it is there and cannot be read */
export function readIfThere(path: string): string | undefined {
  try {
    return readPlainly(path);
  } catch (cause) {
    throw new Fault("BadFile", `Cannot read ${path}: ${reasonOf(cause)}`);
  }
}

/** A file somebody named. @throws {Fault} BadFile also when there is none */
export function readNamed(path: string): string {
  const text = readIfThere(path);
  if (text === undefined) throw new Fault("BadFile", `Cannot read ${path}: there is no such file`);
  return text;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "it belongs to somebody else; run this with sudo",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of that path is a file, not a folder",
  ENOSPC: "the disk is full; free some space on it",
  EROFS: "its disk is mounted read-only",
};

function reasonOf(error: unknown): string {
  return REASONS[codeOf(error)] ?? explain(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
