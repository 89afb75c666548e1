import { createReadStream, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { Fault } from "#fault/fault";

const MOST_REFERENCES = 1000;

export type FileKind = "tar" | "gzip" | "zstd" | "list";
const KINDS: readonly (readonly [RegExp, FileKind])[] = [
  [/\.tar$/, "tar"],
  [/\.(?:tar\.gz|tgz)$/, "gzip"],
  [/\.(?:tar\.zst|tzst)$/, "zstd"],
  [/\.txt$/, "list"],
];

/** A file as it was when it was looked at; another size or time is another file. */
export interface SeenFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** The files of a folder of images, in the order of their names; none where there is no folder. */
export function imageFilesIn(dir: string): readonly SeenFile[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
    const paths = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => join(dir, name));
    return paths.sort().flatMap(seenFile);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Empty for a file that is not there (any more), or a folder behind a link. */
export function seenFile(path: string): readonly SeenFile[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() ? [{ path, size: stats.size, mtimeMs: stats.mtimeMs }] : [];
}

/** By the end of its name. @throws {Fault} "BadImageFile" */
export function kindOf(path: string): FileKind {
  const kind = KINDS.find(([pattern]) => pattern.test(basename(path)))?.[1];
  if (kind !== undefined) return kind;
  throw new Fault("BadImageFile", "expected a name ending in .tar, .tar.gz, .tgz, .tar.zst, .tzst or .txt");
}

export function openArchive(path: string, kind: Exclude<FileKind, "list">): Readable {
  const bytes = createReadStream(path, { highWaterMark: 1 << 20 });
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
