import { Fault } from "#fault/fault";

/** One of the images that come with Twill: a program that runs in a pod's namespaces. */
export interface CarriedImage {
  readonly name: ImageName;
  readonly program: ImageProgram;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly ExposedPort[];
  /** What was asked for, spelled out: `docker.io/rancher/mirrored-pause:3.6`. */
  readonly reference: string;
}

export type ImageName = "coredns" | "agnhost" | "klipper-lb" | "pause";
export type ExposedPort = { readonly port: number; readonly protocol: "TCP" | "UDP" };
/** A file of the folder that `buildImages` fills, and whether it is a bundle for Node or runs by itself. */
export type ImageProgram = { readonly file: string; readonly runsOn: "node" | "kernel" };
export type ResolvedCommand = ImageProgram & { readonly args: readonly string[] };

export const IMAGE_NAMES: readonly ImageName[] = ["coredns", "agnhost", "klipper-lb", "pause"];
/** The one that waits, and what others become that have nothing left to do. */
export const PAUSE_FILE = "pause";

interface Row {
  /** What to write to get it. */
  readonly usualName: string;
  readonly repositories: readonly RegExp[];
  /** Other names of its program. */
  readonly links?: readonly string[];
  readonly cmd: readonly string[];
  readonly exposedPorts: readonly ExposedPort[];
}

const tcp = (port: number): ExposedPort => ({ port, protocol: "TCP" });
const udp = (port: number): ExposedPort => ({ port, protocol: "UDP" });

/** What Rancher mirrors may sit behind any registry, because `--system-default-registry` puts its own in front. */
const ROWS: Readonly<Record<ImageName, Row>> = {
  coredns: {
    usualName: "coredns/coredns",
    repositories: [
      /(?:^|\/)rancher\/mirrored-coredns-coredns$/,
      /^docker\.io\/coredns\/coredns$/,
      /^(?:registry\.k8s\.io|k8s\.gcr\.io)\/coredns(?:\/coredns)?$/,
    ],
    cmd: [],
    exposedPorts: [tcp(53), udp(53)],
  },
  agnhost: {
    usualName: "twill/agnhost",
    repositories: [
      /^(?:registry\.k8s\.io|k8s\.gcr\.io)\/e2e-test-images\/agnhost$/,
      /^gcr\.io\/kubernetes-e2e-test-images\/agnhost$/,
      /^gcr\.io\/k8s-staging-[a-z0-9-]+\/agnhost$/,
      /^docker\.io\/twill\/agnhost$/,
    ],
    // Upstream's has this one, for those who replace the entrypoint by the same.
    links: ["/agnhost-2"],
    cmd: ["pause"],
    exposedPorts: [tcp(80), tcp(8080), tcp(8081), udp(8081), tcp(9376), tcp(5000)],
  },
  "klipper-lb": {
    usualName: "twill/klipper-lb",
    repositories: [/(?:^|\/)rancher\/klipper-lb$/, /^docker\.io\/twill\/klipper-lb$/],
    // The script that is rancher's entrypoint.
    links: ["entry", "/usr/bin/entry"],
    cmd: [],
    exposedPorts: [],
  },
  pause: {
    usualName: "twill/pause",
    repositories: [
      /^(?:registry\.k8s\.io|k8s\.gcr\.io)\/pause$/,
      /(?:^|\/)rancher\/mirrored-pause$/,
      /^docker\.io\/twill\/pause$/,
    ],
    cmd: [],
    exposedPorts: [],
  },
};

/** The carried images as a pod would name them. */
export const USUAL_NAMES: readonly string[] = IMAGE_NAMES.map((name) => ROWS[name].usualName);

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The carried image that `reference` names, whatever its tag or digest; undefined for any other image. */
export function findImage(reference: string): CarriedImage | undefined {
  const parsed = parseReference(reference);
  if (parsed === undefined) return undefined;
  const name = IMAGE_NAMES.find((n) => ROWS[n].repositories.some((rx) => rx.test(parsed.repository)));
  if (name === undefined) return undefined;
  const { cmd, exposedPorts } = ROWS[name];
  return {
    name,
    program: programOf(name),
    entrypoint: [`/${name}`],
    cmd,
    env: { PATH },
    exposedPorts,
    reference: parsed.repository + parsed.version,
  };
}

function programOf(name: ImageName): ImageProgram {
  return name === "pause" ? { file: PAUSE_FILE, runsOn: "kernel" } : { file: `${name}.mjs`, runsOn: "node" };
}

/** What to run for a container of this image, by Kubernetes's rule: `command` replaces the entrypoint and drops the
 *  image's own arguments, `args` alone replaces only those.
 *  @throws {Fault} "CommandNotFound" for a program that the image does not hold */
export function resolveCommand(
  image: CarriedImage,
  command: readonly string[] | undefined,
  args: readonly string[] | undefined,
): ResolvedCommand {
  const [program, ...rest] = commandLine(image, command ?? [], args ?? []);
  const names = [`/${image.name}`, image.name, ...(ROWS[image.name].links ?? [])];
  if (program === undefined || !names.includes(program)) {
    throw new Fault(
      "CommandNotFound",
      `Cannot run ${JSON.stringify(program ?? "")}: the image ${image.reference} that Twill carries holds only /${image.name}; ` +
        "use that, or a node with containerd (--runtime containerd)",
      { detail: { program, image: image.reference } },
    );
  }
  return { ...image.program, args: rest };
}

/** By the same rule, whatever program it names. */
export function commandLine(
  image: CarriedImage,
  command: readonly string[],
  args: readonly string[],
): readonly string[] {
  if (command.length > 0) return [...command, ...args];
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)];
}

/** Splits an image reference as Docker does: no registry means docker.io, and its one-word names live under `library`. */
function parseReference(text: string): { repository: string; version: string } | undefined {
  const match = /^([a-zA-Z0-9][\w.:/-]*?)(:[\w][\w.-]{0,127})?(@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?$/.exec(text);
  if (!match?.[1]) return undefined;
  const [name, tag = "", digest = ""] = match.slice(1);
  const parts = (name ?? "").split("/");
  const first = parts[0] ?? "";
  const hasRegistry = parts.length > 1 && (/[.:]/.test(first) || first === "localhost");
  const path = hasRegistry ? parts : ["docker.io", ...(parts.length === 1 ? ["library"] : []), ...parts];
  const version = tag === "" && digest === "" ? ":latest" : tag + digest;
  return { repository: path.join("/").replace(/^index\.docker\.io\//, "docker.io/"), version };
}
