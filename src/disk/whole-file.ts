import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface WholeFile {
  readonly mode: number;
  /** On the disk before it gets its name: also who comes after a power cut finds the old content or the new one. Costs what
   *  the disk costs. */
  readonly isFlushed?: boolean;
}

/** Puts a file in place by a rename: a reader, and whoever comes after a killed process, finds the old content or the new one
 *  and nothing between. Missing folders are made. @throws what the file system throws; then the old file stands */
export function writeWhole(
  path: string,
  content: string | Uint8Array,
  { mode, isFlushed = false }: WholeFile,
): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const scratch = scratchName(path);
  try {
    writeFileSync(scratch, content, { mode, flush: isFlushed });
    chmodSync(scratch, mode); // whatever the umask is
    renameSync(scratch, path);
  } catch (error) {
    rmSync(scratch, { force: true });
    throw error;
  }
}

/** As `writeWhole`, but what stands already as it should is left alone, so that neither a full disk nor a watcher is bothered. */
export function keepWhole(path: string, content: string, file: WholeFile): void {
  if (readIfThere(path) === content && (statSync(path).mode & 0o777) === file.mode) return;
  writeWhole(path, content, file);
}

/** Undefined when there is no such file. @throws what else reading throws */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** In the same folder, as a rename cannot leave its disk; hidden and with an ending of its own, so that nobody who lists the folder
 *  takes it for one of the files. */
function scratchName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
}
