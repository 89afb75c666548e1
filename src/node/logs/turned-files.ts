import { type FileHandle, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The time in a turned file's name: `0.log.20260102-150405`. */
const STAMP = /^\.\d{8}-\d{6}(?:\.\d+)?$/;

/** The files that a log was turned over into, oldest first, without those that are compressed. */
export async function turnedFiles(path: string): Promise<readonly string[]> {
  const prefix = basename(path);
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .filter((name) => name.startsWith(prefix) && STAMP.test(name.slice(prefix.length)))
    .sort()
    .map((name) => join(dirname(path), name));
}

/** Where the log goes on after `held`, a file that stood at `path` once; undefined while it is the newest, or while files are just
 *  being renamed. A reader that was so slow that its file is gone goes on with the oldest that is left: all of those are newer. */
export async function fileAfter(path: string, held: FileHandle): Promise<string | undefined> {
  const files = [...(await turnedFiles(path)), path];
  const inodes = await Promise.all(files.map(async (file) => (await stat(file).catch(() => undefined))?.ino));
  const { ino, nlink } = await held.stat();
  if (inodes.at(-1) === undefined || inodes.at(-1) === ino) return undefined;
  if (nlink === 0) return files[0];
  const at = inodes.indexOf(ino);
  return at < 0 ? undefined : files[at + 1];
}
