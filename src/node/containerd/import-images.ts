import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { keepWhole, readIfThere } from "#disk/whole-file";
import { explain, Fault } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import type { Ctr } from "./ctr.ts";

export interface ImportOptions {
  readonly ctr: Ctr;
  readonly snapshotter: string;
  readonly certsDir: string;
  /** Where what was imported is written down: inside containerd's root, so that it goes with the images. */
  readonly record: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What a file had been when it was imported, and what came of it. */
interface Imported {
  readonly size: number;
  readonly mtimeMs: number;
  readonly references: readonly string[];
}
type Record_ = Readonly<Record<string, Imported>>;

/** Keeps an image from being taken away for want of space. */
const PINNED = "io.cri-containerd.pinned=pinned";
const MOST_REFERENCES = 1000;

type Kind = "tar" | "gzip" | "zstd" | "list";
const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/\.tar$/, "tar"],
  [/\.(?:tar\.gz|tgz)$/, "gzip"],
  [/\.(?:tar\.zst|tzst)$/, "zstd"],
  [/\.txt$/, "list"],
];

/** The files of a folder of images, in the order of their names; none where there is no folder. */
export function imageFilesIn(dir: string): readonly string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => join(dir, name))
      .sort();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Has containerd hold the images of all files, each pinned; a file that has not changed since it was imported is left alone
 *  while its images are there. What is wrong with one file is told in the log and keeps no other from being imported. */
export async function importImages(files: readonly string[], options: ImportOptions): Promise<void> {
  const { ctr, log, signal } = options;
  const record = new Map(Object.entries(readRecord(options.record)));
  let known = await ctr.images(signal);
  for (const file of files) {
    try {
      const { size, mtimeMs } = statSync(file);
      const before = record.get(file);
      const isSame = before?.size === size && before.mtimeMs === mtimeMs;
      if (isSame && before.references.every((reference) => known.has(reference))) continue;
      await importFile(file, options);
      const now = await ctr.images(signal);
      const references = changed(known, now, isSame ? before.references : []);
      await keep(references, now, options);
      known = await ctr.images(signal);
      record.set(file, { size, mtimeMs, references });
      log.info("imported images", { file, images: references });
    } catch (error) {
      signal.throwIfAborted();
      log.error("cannot import images", { file, error: explain(error) });
      known = await ctr.images(signal);
    }
  }
  keepWhole(options.record, JSON.stringify(Object.fromEntries(record)), { mode: 0o600, isFlushed: true });
}

async function importFile(file: string, options: ImportOptions): Promise<void> {
  const kind = KINDS.find(([pattern]) => pattern.test(basename(file)))?.[1];
  if (kind === undefined)
    throw new Fault("BadImageFile", "expected a name ending in .tar, .tar.gz, .tgz, .tar.zst, .tzst or .txt");
  if (kind !== "list") return options.ctr.importFrom(openArchive(file, kind), options);
  const known = await options.ctr.images(options.signal);
  for (const reference of parseList(readFileSync(file, "utf8")))
    if (!known.has(reference)) await options.ctr.pull(reference, options);
}

function openArchive(file: string, kind: Exclude<Kind, "list">): Readable {
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  if (kind === "tar") return bytes;
  const plain = kind === "gzip" ? createGunzip() : createZstdDecompress();
  bytes.on("error", (error) => plain.destroy(error));
  return bytes.pipe(plain);
}

/** One reference a line; empty lines and those that begin with # say nothing. @throws {Fault} "BadImageFile" */
export function parseList(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.trim());
  const references = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (references.length > MOST_REFERENCES)
    throw new Fault(
      "BadImageFile",
      `it names ${references.length} images; expected at most ${MOST_REFERENCES}`,
    );
  const bad = references.find((reference) => !/^[\w.][\w.:/@-]*$/.test(reference));
  if (bad !== undefined) throw new Fault("BadImageFile", `${JSON.stringify(bad)} is not an image's name`);
  return references;
}

/** What is new, or another image than before; and what was said to be there and is. */
function changed(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
  expected: readonly string[],
): readonly string[] {
  // The CRI itself names each image by its ID too, and takes that name away with the others.
  const named = [...now.keys()].filter((reference) => !reference.startsWith("sha256:"));
  const added = named.filter((reference) => now.get(reference) !== before.get(reference));
  return [...new Set([...added, ...expected.filter((reference) => now.has(reference))])].sort();
}

/** Pins them, and gives each the name with its digest, which pods then report as their image's. */
async function keep(
  references: readonly string[],
  now: ReadonlyMap<string, string>,
  { ctr, signal }: ImportOptions,
): Promise<void> {
  const byDigest = new Map<string, string>();
  for (const reference of references) {
    const digest = now.get(reference);
    if (digest !== undefined && !reference.includes("@"))
      byDigest.set(`${repositoryOf(reference)}@${digest}`, reference);
  }
  for (const [name, reference] of byDigest) if (!now.has(name)) await ctr.tag(reference, name, signal);
  for (const name of [...references, ...byDigest.keys()]) await ctr.label(name, PINNED, signal);
}

function repositoryOf(reference: string): string {
  return reference.replace(/:[^:/]*$/, "");
}

function readRecord(path: string): Record_ {
  try {
    return JSON.parse(readIfThere(path) ?? "{}") as Record_;
  } catch {
    return {}; // Damaged: everything is imported once more.
  }
}
