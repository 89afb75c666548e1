import { Fault } from "#fault/fault";

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9-]+)*(?::\d+)?$|^\[[0-9a-fA-F:]+\](?::\d+)?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const MAX_LENGTH = 4096;

export interface ImageName {
  /** With its registry: `busybox:1` is of `docker.io/library/busybox`. */
  readonly repository: string;
  /** As it was written, with `:latest` where it has neither tag nor digest. What it lacks in front is the runtime's to add. */
  readonly tagged: string;
}

/** What an image's name means. @throws {Fault} "InvalidImageName" @see distribution/reference */
export function parseImageName(image: string): ImageName {
  const [named = "", digest] = image.split("@", 2);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const name = hasTag ? named.slice(0, colon) : named;
  const [domain, path] = withRegistry(name);
  const isTagGood = !hasTag || TAG.test(named.slice(colon + 1));
  const isDigestGood = digest === undefined ? !image.includes("@") : DIGEST.test(digest);
  const isGood = DOMAIN.test(domain) && PATH.test(path) && isTagGood && isDigestGood;
  if (!isGood || image.length > MAX_LENGTH)
    throw new Fault(
      "InvalidImageName",
      `Failed to apply default image tag ${JSON.stringify(image)}: couldn't parse image name ${JSON.stringify(image)}: ` +
        `invalid reference format${onlyForCapitals(image)}`,
    );
  return {
    repository: `${domain}/${path}`,
    tagged: hasTag || digest !== undefined ? image : `${image}:latest`,
  };
}

function onlyForCapitals(image: string): string {
  const name = withRegistry(image)[1].split(":", 1)[0] ?? "";
  return name === name.toLowerCase() ? "" : `: repository name (${name}) must be lowercase`;
}

function withRegistry(name: string): readonly [domain: string, path: string] {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const [domain, path] = isDomain ? [first, name.slice(slash + 1)] : ["docker.io", name];
  if (domain !== "docker.io" && domain !== "index.docker.io") return [domain, path];
  return ["docker.io", path.includes("/") ? path : `library/${path}`];
}
