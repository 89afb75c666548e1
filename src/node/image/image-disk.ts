import { statfs } from "node:fs/promises";
import type { Runtime } from "../runtime/runtime.ts";

/** The file system that images are on; what anybody but root may still write is available. */
export interface ImageDisk {
  readonly capacityBytes: number;
  readonly availableBytes: number;
}

/** Undefined where no images are kept that could be removed. */
export async function imageDiskOf(runtime: Pick<Runtime, "imageFolder">): Promise<ImageDisk | undefined> {
  const folder = await runtime.imageFolder?.();
  if (folder === undefined) return undefined;
  const { blocks, bavail, bsize } = await statfs(folder);
  return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
}
