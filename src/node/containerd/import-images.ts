import { readFileSync } from "node:fs";
import { keepWhole, readIfThere } from "#disk/whole-file";
import { explain, Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { CriChannel } from "../runtime/cri/channel.ts";
import type { Ctr } from "./ctr.ts";
import { kindOf, openArchive, parseList, type SeenFile } from "./image-files.ts";
import type { ImageStore, NamedImage } from "./image-store.ts";

export interface ImportOptions {
  readonly ctr: Ctr;
  readonly store: ImageStore;
  readonly channel: Pick<CriChannel, "call">;
  readonly snapshotter: string;
  /** Where what was imported is written down: inside containerd's root, so that it goes with the images. */
  readonly record: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The CRI hears of new images by events, within a moment. */
const TOLD_MS = 5_000;
const ASK_MS = 20;

/** What a file had been when it was imported, and what came of it. */
interface Imported {
  readonly size: number;
  readonly mtimeMs: number;
  readonly references: readonly string[];
}

type Names = ReadonlyMap<string, NamedImage>;

/** Brings images from files into containerd, each pinned. */
export class ImageImporter {
  readonly #options: ImportOptions;
  readonly #record: Map<string, Imported>;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.#record = new Map(Object.entries(readRecord(options.record)));
  }

  /** What is in the file is in containerd; one that has not changed since it was imported is left alone while its images are there.
   *  @throws what is wrong with the file, or with containerd */
  async take(file: SeenFile): Promise<void> {
    const { store, log, record } = this.#options;
    const known = await store.list();
    const before = this.#record.get(file.path);
    const isSame = before?.size === file.size && before.mtimeMs === file.mtimeMs;
    if (isSame && before.references.every((reference) => known.has(reference))) return;
    await this.#import(file.path, known);
    const now = await store.list();
    const references = changed(known, now, isSame ? before.references : []);
    await this.#keep(references, now);
    await this.#untilTold(references);
    this.#record.set(file.path, { size: file.size, mtimeMs: file.mtimeMs, references });
    keepWhole(record, JSON.stringify(Object.fromEntries(this.#record)), { mode: 0o600 });
    log.info("imported images", { file: file.path, images: references });
  }

  async #import(path: string, known: Names): Promise<void> {
    const kind = kindOf(path);
    const { ctr } = this.#options;
    if (kind !== "list") return ctr.importFrom(openArchive(path, kind), this.#options);
    const refusals: string[] = [];
    for (const image of parseList(readFileSync(path, "utf8")))
      if (!known.has(image)) await this.#pull(image).catch((error) => refusals.push(explain(error)));
    this.#options.signal.throwIfAborted();
    if (refusals.length > 0) throw new Fault("PullFailed", refusals.join("; "));
  }

  /** With the registries' settings and credentials, as for pods. */
  async #pull(image: string): Promise<void> {
    const { channel, signal } = this.#options;
    await channel.call("PullImage", { image: { image } }, { signal });
  }

  /** The CRI finds them, too. */
  async #untilTold(references: readonly string[]): Promise<void> {
    const { channel, clock, log, signal } = this.#options;
    const until = clock.now() + TOLD_MS;
    for (const image of references) {
      while ((await channel.call("ImageStatus", { image: { image } }, { signal })).image === undefined) {
        if (clock.now() > until) return log.warn("an image is not known to the CRI yet", { image });
        await clock.sleep(ASK_MS, { signal });
      }
    }
  }

  /** Pins them, and gives each the name with its digest, which pods then report as their image's. */
  async #keep(references: readonly string[], now: Names): Promise<void> {
    const { store } = this.#options;
    for (const reference of references) {
      const image = now.get(reference);
      if (!image) continue;
      await store.pin(image);
      if (reference.includes("@")) continue;
      const name = `${repositoryOf(reference)}@${image.target.digest}`;
      const other = now.get(name);
      if (other) await store.pin(other);
      else await this.#addName(name, image);
    }
  }

  /** Two tags of one image have one name by digest. */
  async #addName(name: string, image: NamedImage): Promise<void> {
    const { store } = this.#options;
    if (!(await store.list()).has(name)) await store.addName(name, image);
  }
}

/** What is new, or another image than before; and what was said to be there and is. */
function changed(before: Names, now: Names, expected: readonly string[]): readonly string[] {
  // The CRI itself names each image by its ID too, and takes that name away with the others.
  const named = [...now.keys()].filter((reference) => !reference.startsWith("sha256:"));
  const digest = (names: Names, reference: string) => names.get(reference)?.target.digest;
  const added = named.filter((reference) => digest(now, reference) !== digest(before, reference));
  return [...new Set([...added, ...expected.filter((reference) => now.has(reference))])].sort();
}

function repositoryOf(reference: string): string {
  return reference.replace(/:[^:/]*$/, "");
}

function readRecord(path: string): Readonly<Record<string, Imported>> {
  try {
    return JSON.parse(readIfThere(path) ?? "{}") as Readonly<Record<string, Imported>>;
  } catch {
    return {}; // Damaged: everything is imported once more.
  }
}
