import { Fault } from "#fault/fault";

const HOST = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?`;
const PART = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const REFERENCE = new RegExp(
  String.raw`^(?:${HOST}/)?${PART}(?:/${PART})*(?<tag>:\w[\w.-]{0,127})?(?<digest>@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$`,
);
const MAX_LENGTH = 4096;

/** The name with `:latest` where it has neither tag nor digest: `busybox` is `busybox:latest`. What it lacks in front is the runtime's
 *  to add. @throws {Fault} "InvalidImageName" */
export function withTag(image: string): string {
  const match = image.length > MAX_LENGTH ? undefined : REFERENCE.exec(image);
  if (!match)
    throw new Fault(
      "InvalidImageName",
      `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
    );
  return match.groups?.["tag"] || match.groups?.["digest"] ? image : `${image}:latest`;
}
