import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { keepWhole, readIfThere } from "#disk/whole-file";
import { explain, Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { type CriChannel, openCriChannel } from "../runtime/cri/channel.ts";
import { type ConfigFacts, isSplit, renderConfig } from "./config.ts";
import { Ctr } from "./ctr.ts";
import { environmentFor, logLevelOf } from "./environment.ts";
import { seenFile } from "./image-files.ts";
import { ImageFolder } from "./image-folder.ts";
import { ImageStore } from "./image-store.ts";
import { ensureOwnImages, ensurePauseImage, PAUSE_IMAGE } from "./images/own-images.ts";
import { ImageImporter } from "./import-images.ts";
import { type Places, placesOf } from "./places.ts";
import { placeRegistries } from "./registry-files.ts";
import { chooseSnapshotter } from "./snapshotter.ts";
import { removeStrays } from "./strays.ts";
import { superviseContainerd } from "./supervise.ts";
import { fillTemplate } from "./template.ts";
import { findPrograms, type Programs, readVersion } from "./version.ts";

export interface ContainerdOptions {
  readonly dataDir: string;
  /** Default `/run/k3s/containerd`. */
  readonly stateDir?: string;
  /** Where bundles of the carried images are, and the archive made of them for containerd. */
  readonly imagesDir: string;
  /** Imported in place of Twill's own images; the pause image must be in it. */
  readonly archive?: string;
  /** Undefined leaves it to containerd: /opt/cni/bin and /etc/cni/net.d. */
  readonly cni: { readonly binDir: string; readonly confDir: string } | undefined;
  /** K3s's file of registries; default: no settings. It need not be there. */
  readonly registriesFile?: string;
  /** Of the streaming server on the loopback; default any that is free. */
  readonly streamPort?: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Containerd {
  /** As `--container-runtime-endpoint` has it. */
  readonly endpoint: string;
  /** Settles once it is no longer looked after, after the signal. */
  readonly ended: Promise<void>;
  /** Settles once Twill's images and those that were in the folder at start are there, as far as they can be used. Never rejects. */
  readonly preloaded: Promise<void>;
  /** Names of images that are not to be removed, which 1.6 does not tell by the CRI. */
  readonly pinnedImages: () => Promise<ReadonlySet<string>>;
}

/** Where what was imported is written down, in containerd's root. */
const IMPORTED = "twill-imported.json";
const NO_FILE = "/dev/null";
/** Where containerd keeps the network namespaces of its sandboxes. */
const NETNS_DIR = "/run/netns";

/** An instance of our own runs, answers and holds what pods' sandboxes are made of; Twill's images and those of `$DATA/agent/images` are
 *  brought in meanwhile, and from then on whatever is put there. It is kept running until aborted, and left running then. @throws {Fault} "NoContainerd", "BadContainerd", "BadPlace", "BadTemplate" */
export async function openContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { env, clock, log, signal } = options;
  const places = placesOf(options);
  const programs = requirePrograms(env["PATH"] ?? "");
  const version = await readVersion(programs.containerd);
  for (const dir of [places.root, places.state]) mkdirSync(dir, { recursive: true, mode: 0o711 });
  const snapshotter = chooseSnapshotter(places.root);
  if (snapshotter.reason !== undefined)
    log.warn("images are copied whole for each container, which takes time and space", {
      reason: snapshotter.reason,
    });
  const facts: ConfigFacts = {
    places,
    version,
    snapshotter: snapshotter.name,
    sandboxImage: PAUSE_IMAGE,
    cni: options.cni,
    mayLowerOomScore: hasSysResource(),
    streamPort: options.streamPort ?? 0,
    registryConfigs: placeRegistries(options.registriesFile ?? NO_FILE, places.certsDir, log).configs,
  };
  const config = writeConfig(facts);
  const ready = Promise.withResolvers<void>();
  const daemon = {
    program: programs.containerd,
    logLevel: logLevelOf(env),
    env: environmentFor(env),
    config: places.config,
    configHash: createHash("sha256").update(`${version.text}\0${config}`).digest("hex"),
    socket: places.socket,
    log: places.log,
  };
  const ended = superviseContainerd(daemon, { clock, log, signal }, ready.resolve);
  const [pause] = await Promise.all([
    options.archive ?? ensurePauseImage(options.imagesDir),
    Promise.race([ready.promise, ended]),
  ]);
  signal.throwIfAborted();
  const endpoint = `unix://${places.socket}`;
  const channel = await openCriChannel(endpoint);
  signal.addEventListener("abort", () => channel[Symbol.dispose](), { once: true });
  const store = new ImageStore(channel, { signal });
  const importer = new ImageImporter({
    ...{ channel, store, clock, log, signal },
    ctr: new Ctr(programs.ctr, places.socket),
    snapshotter: snapshotter.name,
    record: join(places.root, IMPORTED),
  });
  for (const file of seenFile(pause)) await importer.take(file);
  const known = () => idsOf(channel, { signal });
  const strays = { socket: places.socket, netnsDir: NETNS_DIR, known, clock, log, signal };
  void removeStrays(strays);
  const folder = new ImageFolder(places.images, { take: (file) => importer.take(file), clock, log, signal });
  const preloaded = preload(folder, importer, options);
  void preloaded
    .then(() => folder.keepTaking())
    .catch((error: unknown) => {
      if (!signal.aborted) log.error("the folder of images is not looked after", { error: explain(error) });
    });
  return { endpoint, ended, preloaded, pinnedImages: () => store.pinnedNames() };
}

/** Of all containers that containerd knows, sandboxes included. */
async function idsOf(channel: CriChannel, options: { signal: AbortSignal }): Promise<ReadonlySet<string>> {
  const { items } = await channel.call("ListPodSandbox", {}, options);
  const { containers } = await channel.call("ListContainers", {}, options);
  return new Set([...items, ...containers].map(({ id }) => id));
}

/** Twill's other images, and those of the folder, while pods run already. */
async function preload(
  folder: ImageFolder,
  importer: ImageImporter,
  { archive, imagesDir, log, signal }: ContainerdOptions,
): Promise<void> {
  try {
    if (archive === undefined)
      for (const file of seenFile(await ensureOwnImages(imagesDir))) await importer.take(file);
  } catch (error) {
    if (signal.aborted) return;
    log.error("Twill's own images are missing", { error: explain(error) });
  }
  await folder.takeAll();
}

/** @throws {Fault} "NoContainerd" */
function requirePrograms(path: string): Programs {
  const found = findPrograms(path);
  if (found.kind === "found") return found.programs;
  throw new Fault(
    "NoContainerd",
    `Cannot run containers by containerd: ${found.names.join(", ")} not found on PATH; apt-get install containerd runc, or use --runtime process`,
  );
}

/** Returns everything that shapes a running containerd: the file and the drop-ins beside it. */
function writeConfig(facts: ConfigFacts): string {
  const { places, version } = facts;
  const name = isSplit(version) ? "config-v3.toml" : "config.toml";
  const templatePath = join(places.configDir, `${name}.tmpl`);
  const base = renderConfig(facts);
  const template = readIfThere(templatePath);
  const config = template === undefined ? base : fillTemplate(templatePath, template, base);
  keepWhole(places.config, config, { mode: 0o600, isFlushed: true });
  const dropIns = globSync(join(places.configDir, `${name}.d/*.toml`)).sort();
  return [config, ...dropIns.map((path) => readFileSync(path, "utf8"))].join("\0");
}

const CAP_SYS_RESOURCE = 24n;

/** @see CapEff in proc_pid_status(5) */
function hasSysResource(): boolean {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${held}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

export type { Places };
