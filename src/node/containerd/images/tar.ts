import { createReadStream, statSync } from "node:fs";
import { Fault } from "#fault/fault";

/** One member of a tar archive. Owners are root, times the epoch: equal input gives equal bytes. */
export type TarEntry =
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly to: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Content };

/** Bytes, or where to get exactly `size` of them; asked for as often as the archive is written. */
export type Content = Uint8Array | StoredContent;

export interface StoredContent {
  readonly size: number;
  /** Another one whenever the bytes are others. */
  readonly stamp: string;
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const CHUNK = 1 << 20;
/** Two empty blocks end an archive. */
const END = new Uint8Array(2 * BLOCK);

const TYPES = { file: "0", link: "2", folder: "5" } as const;
/** ustar's fields: offset and length. @see tar(5), "POSIX ustar Archives" */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;
const CHECKSUM_BLANK = "        ";

/** The archive's bytes, in the order of `entries`; folders have to come before what is in them.
 *  @throws {Fault} "BadEntry" for a path that ustar cannot hold and for content of another size than was said */
export async function* writeTar(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    if (entry.kind !== "file") {
      yield tarHeader(entry, 0);
      continue;
    }
    const { content } = entry;
    const size = content instanceof Uint8Array ? content.byteLength : content.size;
    yield tarHeader(entry, size);
    let written = 0;
    for await (const chunk of content instanceof Uint8Array ? [content] : content.bytes()) {
      written += chunk.byteLength;
      yield chunk;
    }
    if (written !== size) throw new Fault("BadEntry", `Cannot archive ${entry.path}: it changed meanwhile`);
    yield new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield END;
}

/** A file of this machine. @throws what stat(2) says */
export function fromFile(path: string): Content {
  const { size, mtimeMs } = statSync(path);
  return { size, stamp: `${size} ${mtimeMs}`, bytes: () => createReadStream(path, { highWaterMark: CHUNK }) };
}

/** The 512 bytes before a member's content. @throws {Fault} "BadEntry" */
export function tarHeader(entry: TarEntry, size: number): Uint8Array {
  const header = Buffer.alloc(BLOCK);
  const put = (field: keyof typeof FIELD, text: string) => {
    const [at, length] = FIELD[field];
    if (header.write(text, at, length, "utf8") !== Buffer.byteLength(text))
      throw new Fault(
        "BadEntry",
        `Cannot archive ${entry.path}: its ${field} does not fit into a tar header`,
      );
  };
  const octal = (field: keyof typeof FIELD, value: number) =>
    put(field, value.toString(8).padStart(FIELD[field][1] - 1, "0"));
  const { name, prefix } = splitPath(entry.kind === "folder" ? `${entry.path}/` : entry.path);
  put("name", name);
  put("prefix", prefix);
  octal("mode", entry.kind === "link" ? 0o777 : entry.mode);
  for (const field of ["uid", "gid", "mtime"] as const) octal(field, 0);
  octal("size", size);
  put("type", TYPES[entry.kind]);
  if (entry.kind === "link") put("linkName", entry.to);
  put("magic", "ustar\x0000");
  put("checksum", CHECKSUM_BLANK);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put("checksum", `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}

/** A path longer than the name field is cut at a slash; what comes before goes into the prefix field. */
function splitPath(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= FIELD.name[1]) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const name = path.slice(at + 1);
    if (name !== "" && Buffer.byteLength(name) <= FIELD.name[1]) return { name, prefix: path.slice(0, at) };
  }
  return { name: path, prefix: "" };
}
