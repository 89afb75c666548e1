import { createReadStream, createWriteStream, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { turnedFiles } from "./turned-files.ts";

export interface RotationLimits {
  readonly maxBytes: number;
  /** The current file included. */
  readonly maxFiles: number;
}

export const DEFAULT_LIMITS: RotationLimits = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 };

/** The name a full log file gets: `0.log.20260102-150405`, with a number behind for another one in that second, so that names
 *  are in the order of time. */
export function turnedName(path: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  const name = `${basename(path)}.${stamp}`;
  const last = readdirSync(dirname(path))
    .filter((standing) => standing.startsWith(name))
    .map((standing) => Number(/^\.(\d+)/.exec(standing.slice(name.length))?.[1] ?? 0))
    .reduce((most, number) => Math.max(most, number), -1);
  return join(dirname(path), last < 0 ? name : `${name}.${String(last + 1).padStart(6, "0")}`);
}

/** Moves a full log away, so that `path` is free for a new one and who holds the old one reads it to its end; `reopen` makes the
 *  new one. The oldest beyond the limit are removed. */
export function turnOver(path: string, { maxFiles }: RotationLimits, reopen: () => void): void {
  renameSync(path, turnedName(path, new Date()));
  reopen();
  const prefix = `${basename(path)}.`;
  const turned = readdirSync(dirname(path)).filter((name) => name.startsWith(prefix));
  for (const name of turned.sort().slice(0, Math.max(0, turned.length - maxFiles + 1)))
    rmSync(join(dirname(path), name), { force: true });
}

/** Removes a log with all that it was turned over into; absent is success. */
export function removeLog(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) return;
  const name = basename(path);
  for (const standing of readdirSync(folder))
    if (standing === name || standing.startsWith(`${name}.`)) rmSync(join(folder, standing), { force: true });
}

/** Compresses all turned files of a log but the newest, which a reader may still be in, and removes the oldest beyond the limit
 *  and what an agent that died left half compressed. @see pkg/kubelet/logs/container_log_manager.go */
export async function tidyTurnedFiles(path: string, { maxFiles }: RotationLimits): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder).catch(() => []))
    if (name.startsWith(prefix) && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
  for (const file of (await turnedFiles(path)).slice(0, -1)) await compress(file);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(prefix)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - (maxFiles - 1))))
    await rm(join(folder, name), { force: true });
}

async function compress(file: string): Promise<void> {
  const temporary = `${file}.tmp`;
  await pipeline(createReadStream(file), createGzip(), createWriteStream(temporary, { mode: 0o640 }));
  await rename(temporary, `${file}.gz`);
  await rm(file, { force: true });
}
