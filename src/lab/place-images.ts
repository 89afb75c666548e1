import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LabNode } from "./layout.ts";

/** Where a node of a lab sees the images. */
export const IMAGES_IN_NODE = "/run/twill-images";

/** Puts the images among the node's own files. Every pod has them mounted, so every pod has a mount from the lab's folder,
 *  wherever else its files come from: that is how `down` finds what runs in a lab. */
export function placeImages(
  imagesDir: string,
  node: LabNode,
  { forContainerd }: { forContainerd: boolean },
): void {
  const place = join(node.dir, IMAGES_IN_NODE);
  mkdirSync(place, { recursive: true });
  for (const name of readdirSync(imagesDir)) {
    if (!forContainerd && /\.tar(?:\.|$)/.test(name)) continue;
    // Pods that run have the folder open and may yet load a file of it: files are replaced, never missing.
    const temporary = join(place, `${name}.${process.pid}`);
    rmSync(temporary, { force: true });
    linkOrCopy(join(imagesDir, name), temporary);
    renameSync(temporary, join(place, name));
    rmSync(temporary, { force: true }); // Renaming a file over itself leaves both names.
  }
}

/** One file for all nodes where the file systems allow it: its pages are then in memory once. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
