import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { type CarriedImage, commandLine, findImage, resolveCommand, USUAL_NAMES } from "./images/catalog.ts";
import { IMAGES_PATH, NODE_PATH } from "./root.ts";

/** The carried image of that name. @throws {Fault} "ErrImagePull", saying what would run any other; "InvalidImageName" */
export function requireImage(image: string): CarriedImage {
  if (!/^[^\s]+$/.test(image) || /[A-Z]/.test(image.split(":")[0] ?? ""))
    throw new Fault(
      "InvalidImageName",
      `Cannot read image ${JSON.stringify(image)}: not a valid image reference`,
    );
  const found = findImage(image);
  if (found) return found;
  throw new Fault(
    "ErrImagePull",
    `image ${JSON.stringify(image)} is not one of those Twill carries (${USUAL_NAMES.join(", ")}); ` +
      "install containerd and start the agent with --runtime containerd to run it",
  );
}

/** The repository with the digest of the program that stands for it. */
export function imageRefOf(image: CarriedImage, imagesDir: string): string {
  const digest = createHash("sha256").update(readFileSync(join(imagesDir, image.program.file)));
  const repository = image.reference.replace(/(?:@.*|:[^/]*)$/, "");
  return `${repository}@sha256:${digest.digest("hex")}`;
}

/** What a container's own program is started with. */
export function mainCommand(
  image: string,
  command: readonly string[],
  args: readonly string[],
): readonly string[] {
  return innerCommand(image, commandLine(requireImage(image), command, args));
}

/** A command within a container: the image's own program stands for its file, anything else is looked for in the container's root,
 *  where the node's `/usr` is. */
export function innerCommand(image: string, command: readonly string[]): readonly string[] {
  try {
    const { file, runsOn, args } = resolveCommand(requireImage(image), command, undefined);
    const path = `${IMAGES_PATH}/${file}`;
    return runsOn === "node" ? [NODE_PATH, path, ...args] : [path, ...args];
  } catch {
    return command;
  }
}
