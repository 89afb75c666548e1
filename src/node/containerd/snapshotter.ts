import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { explain } from "#fault/fault";
import { tryOverlay } from "#kernel/mount";
import type { Snapshotter } from "./config.ts";

/** overlayfs where the file system of `root` bears it; otherwise native, which copies whole layers, and why. */
export function chooseSnapshotter(root: string): { readonly name: Snapshotter; readonly reason?: string } {
  const dir = join(root, `probe-${process.pid}`);
  try {
    mkdirSync(dir);
    tryOverlay(dir);
    return { name: "overlayfs" };
  } catch (error) {
    return { name: "native", reason: `overlayfs cannot be mounted in ${root}: ${explain(error)}` };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
