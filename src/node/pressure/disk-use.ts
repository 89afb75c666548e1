import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

const BLOCK_BYTES = 512;

export interface DiskUse {
  readonly bytes: number;
  readonly inodes: number;
}

export const NO_USE: DiskUse = { bytes: 0, inodes: 0 };

/** What a folder and all in it take of the disk; what goes away meanwhile is not counted, and links are not followed. */
export async function diskUse(dir: string): Promise<DiskUse> {
  let [bytes, inodes] = [0, 0];
  const waiting = [dir];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const stats = await lstat(at).catch(() => undefined);
    bytes += (stats?.blocks ?? 0) * BLOCK_BYTES;
    inodes += stats ? 1 : 0;
    if (!stats?.isDirectory()) continue;
    for (const name of await readdir(at).catch(() => [])) waiting.push(join(at, name));
  }
  return { bytes, inodes };
}

export function together(all: readonly DiskUse[]): DiskUse {
  return all.reduce((a, b) => ({ bytes: a.bytes + b.bytes, inodes: a.inodes + b.inodes }), NO_USE);
}
