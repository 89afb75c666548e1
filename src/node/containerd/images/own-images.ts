/** The images that no registry has to be asked for: Twill's own programs on Node, what holds a pod's namespaces, and a shell
 *  to look around with. All are made of what is installed here. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildImages } from "../../runtime/process/images/build.ts";
import { bundleFiles } from "../../runtime/process/images/bundle.ts";
import { type CarriedImage, findImage, PAUSE_FILE } from "../../runtime/process/images/catalog.ts";
import { pauseProgram } from "../../runtime/process/images/pause-program.ts";
import { IMAGES_FOLDER } from "../../runtime/process/images/preamble.ts";
import { busyboxLayer, findBusybox } from "./busybox-layer.ts";
import { libraryLayer, NODE_IN_IMAGE, nodeLayer, program, text, users, withFolders } from "./node-layer.ts";
import { type ImageSpec, type Layer, writeOciArchive } from "./oci-archive.ts";

/** The image of every pod's first process. */
export const PAUSE_IMAGE = "docker.io/twill/pause:1";

/** Those of Kubernetes's own tests and examples, from 1.20 to 1.36. */
const AGNHOST_TAGS = (
  "2.20 2.21 2.26 2.28 2.32 2.33 2.36 2.39 2.40 2.43 2.45 2.47 2.48 2.50 2.52 2.53 2.54 2.55 2.56 2.57 2.58 2.59 " +
  "2.60.0 2.61.0 2.62.0 2.63.0"
).split(" ");

/** containerd finds an image by its whole name only, so these are the names that packaged and demo manifests have. */
const PROGRAMS: readonly (readonly [reference: string, ...others: string[]])[] = [
  ["docker.io/rancher/mirrored-coredns-coredns:1.14.6", "docker.io/twill/coredns:latest"],
  ["docker.io/twill/agnhost:latest", ...agnhostNames()],
];
/** The image of ServiceLB's pods, by the name they ask for; only where its library is installed. */
const KLIPPER_LB = ["docker.io/rancher/klipper-lb:v0.4.17", "docker.io/twill/klipper-lb:latest"] as const;
const NFTABLES_LIBRARY = "libnftables.so.1";
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Nobody's: as in the image that K3s uses. */
const PAUSE_USER = "65535:65535";
/** Raised when the way of making them changes in what the fingerprint does not see. */
const FORMAT = 3;

export const ARCHIVE = "containerd-images.tar";
export const BUSYBOX_ARCHIVE = "busybox.tar";
const PAUSE_ARCHIVE = "pause.tar";

/** Makes `<dir>/containerd-images.tar` unless it is there and would come out the same (some milliseconds). The bundles of the
 *  carried images are made in `dir` too. Resolves to its path. */
export async function ensureOwnImages(dir: string): Promise<string> {
  await buildImages(dir);
  const shell = await shellLayer();
  const base = await nodeLayer();
  const programs = PROGRAMS.map(([reference, ...others]) => {
    const image = carried(reference);
    const layers = [base, ...(image.name === "agnhost" && shell ? [shell] : []), programLayer(image, dir)];
    return programImage(image, [reference, ...others], layers);
  });
  const balancer = await klipperLbImage(dir, base);
  return ensureArchive(join(dir, ARCHIVE), [pauseImage(), ...programs, ...(balancer ? [balancer] : [])]);
}

/** Makes `<dir>/pause.tar`: all that a containerd needs of its own. */
export function ensurePauseImage(dir: string): Promise<string> {
  return ensureArchive(join(dir, PAUSE_ARCHIVE), [pauseImage()]);
}

/** Makes `<dir>/busybox.tar`, for trying things out: `busybox:latest` and the version's. Undefined where no static busybox is
 *  installed. */
export async function ensureBusyboxImage(dir: string): Promise<string | undefined> {
  const busybox = await findBusybox();
  if (!busybox) return undefined;
  const tags = ["latest", busybox.version];
  const image: ImageSpec = {
    names: tags.map((tag) => `docker.io/library/busybox:${tag}`),
    config: { Cmd: ["sh"], Env: [PATH] },
    layers: [withFolders(users()), await busyboxLayer(busybox)],
  };
  return ensureArchive(join(dir, BUSYBOX_ARCHIVE), [image]);
}

function agnhostNames(): readonly string[] {
  return AGNHOST_TAGS.map((tag) => `registry.k8s.io/e2e-test-images/agnhost:${tag}`);
}

async function shellLayer(): Promise<Layer | undefined> {
  const busybox = await findBusybox();
  return busybox && busyboxLayer(busybox);
}

function pauseImage(): ImageSpec {
  const layer: Layer = [{ kind: "file", path: "pause", mode: 0o755, content: pauseProgram(process.arch) }];
  return {
    names: [PAUSE_IMAGE, "docker.io/rancher/mirrored-pause:3.6", "registry.k8s.io/pause:3.10"],
    config: { Entrypoint: ["/pause"], Env: [PATH], WorkingDir: "/", User: PAUSE_USER },
    layers: [layer],
  };
}

/** Undefined without libnftables. */
async function klipperLbImage(dir: string, base: Layer): Promise<ImageSpec | undefined> {
  const image = carried(KLIPPER_LB[0]);
  const koffi = bundleFiles(dir, image.name).find((file) => file.endsWith(".node")) ?? "";
  try {
    const libraries = await libraryLayer(join(dir, koffi), [NFTABLES_LIBRARY]);
    const waiting = program(`${IMAGES_FOLDER}/${PAUSE_FILE}`, join(dir, PAUSE_FILE));
    return programImage(image, KLIPPER_LB, [
      base,
      libraries,
      withFolders([...programLayer(image, dir), waiting]),
    ]);
  } catch {
    return undefined;
  }
}

function carried(reference: string): CarriedImage {
  const image = findImage(reference);
  if (!image) throw new Error(`broken invariant: ${reference} is not carried`);
  return image;
}

/** The bundle's files, and a program of the image's own name that runs them. */
function programLayer({ name, program: { file } }: CarriedImage, dir: string): Layer {
  const script = `#!${NODE_IN_IMAGE}\nimport(${JSON.stringify(`${IMAGES_FOLDER}/${file}`)});\n`;
  return withFolders([
    text(name, script, 0o755),
    ...bundleFiles(dir, name).map((file) => program(`${IMAGES_FOLDER}/${file}`, join(dir, file))),
  ]);
}

function programImage(image: CarriedImage, names: readonly string[], layers: readonly Layer[]): ImageSpec {
  const ports = image.exposedPorts.map(({ port, protocol }) => [`${port}/${protocol.toLowerCase()}`, {}]);
  return {
    names,
    config: {
      Entrypoint: image.entrypoint,
      Cmd: image.cmd,
      Env: Object.entries(image.env).map(([key, value]) => `${key}=${value}`),
      WorkingDir: "/",
      ExposedPorts: Object.fromEntries(ports),
    },
    layers,
  };
}

async function ensureArchive(path: string, images: readonly ImageSpec[]): Promise<string> {
  const fingerprint = fingerprintOf(images);
  const record = `${path}.made-of`;
  if (existsSync(path) && existsSync(record) && readFileSync(record, "utf8") === fingerprint) return path;
  rmSync(record, { force: true });
  await writeOciArchive(path, images, { arch: process.arch });
  writeFileSync(record, fingerprint);
  return path;
}

/** Equal when the archive would come out the same; of files it knows what `stat` says. */
function fingerprintOf(images: readonly ImageSpec[]): string {
  const seen = JSON.stringify({ FORMAT, arch: process.arch, images });
  return createHash("sha256").update(seen).digest("hex");
}
