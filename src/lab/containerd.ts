/** What a lab whose nodes have a containerd each needs beside the program: installed programs, images, a shell to try out. */
import { copyFileSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Fault } from "#fault/fault";
import { BUSYBOX_ARCHIVE, ensureBusyboxImage, ensureOwnImages } from "#node/containerd/images/own-images";
import { findPrograms } from "#node/containerd/version";
import { flagValues } from "./launch.ts";
import type { LabNode } from "./layout.ts";
import type { LabRecord } from "./record.ts";

/** Makes the images that every node imports at its start, once for all labs. Nothing outside can be asked for others.
 *  @throws {Fault} MissingFeature */
export async function buildContainerdImages(imagesDir: string): Promise<void> {
  const found = findPrograms(process.env["PATH"] ?? "");
  if (found.kind === "missing")
    throw new Fault(
      "MissingFeature",
      `This machine lacks what --runtime containerd needs: ${found.names.join(", ")}. Try: apt-get install containerd runc`,
    );
  await ensureOwnImages(imagesDir);
  await ensureBusyboxImage(labImagesDir(imagesDir));
}

/** Puts busybox where the node imports images from, if this machine has one to make the image of. */
export function placeBusybox(imagesDir: string, node: LabNode, record: LabRecord): void {
  const dataDir = flagValues(record.serverFlags, "data-dir").at(-1) ?? "/var/lib/rancher/k3s";
  const folder = join(seenFromHere(node, resolve(dataDir)), "agent/images");
  mkdirSync(folder, { recursive: true });
  const [from, to] = [join(labImagesDir(imagesDir), BUSYBOX_ARCHIVE), join(folder, BUSYBOX_ARCHIVE)];
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EXDEV") copyFileSync(from, to);
    else if (code !== "ENOENT") throw error; // No busybox here.
  }
}

/** Beside the images that every node has, wherever it runs. */
function labImagesDir(imagesDir: string): string {
  const dir = join(imagesDir, "../lab-images");
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** `/var/lib/x` of a node is `var-lib/x` in its folder. */
function seenFromHere({ dir }: LabNode, path: string): string {
  const own = /^\/(run|etc|var\/lib|var\/log)(\/.*)$/.exec(path);
  if (!own?.[1]) throw new Error(`broken invariant: nodes of a lab would share ${path}`);
  return join(dir, own[1].replace("/", "-"), own[2] ?? "");
}
