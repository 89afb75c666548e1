import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface PayloadFile {
  readonly content: Buffer;
  readonly mode: number;
  readonly uid?: number | undefined;
}

/** Relative path to file. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = "..data";

/** Makes `dir` hold exactly this payload, all of it at once for whoever reads: files live in a dated folder, `..data` leads to
 *  it and each name leads through `..data`. Returns whether anything changed. @see kubelet volume/util/atomic_writer.go */
export function writeAtomically(
  dir: string,
  payload: Payload,
  options: { gid?: number | undefined } = {},
): boolean {
  if (mkdirSync(dir, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(dir, 0o777);
  const old = readLink(join(dir, DATA));
  const hasChanged = old === undefined || !isSame(join(dir, old), payload);
  if (hasChanged) swap(dir, payload, options.gid);
  linkNames(dir, payload);
  if (hasChanged && old !== undefined) rmSync(join(dir, old), { recursive: true, force: true });
  return hasChanged;
}

function swap(dir: string, payload: Payload, gid: number | undefined): void {
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:T]/g, "_");
  const fresh = `..${stamp}.${Math.floor(Math.random() * 1e10)}`;
  mkdirSync(join(dir, fresh), { mode: 0o755 });
  for (const [path, file] of payload) writeFile(join(dir, fresh, path), file, gid);
  if (gid !== undefined) for (const folder of [dir, ...foldersIn(join(dir, fresh))]) giveFolder(folder, gid);
  const pending = join(dir, "..data_tmp");
  rmSync(pending, { force: true });
  symlinkSync(fresh, pending);
  renameSync(pending, join(dir, DATA));
}

function writeFile(path: string, { content, mode, uid }: PayloadFile, gid: number | undefined): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, content);
  if (gid !== undefined || uid !== undefined) chownSync(path, uid ?? 0, gid ?? 0);
  chmodSync(path, gid === undefined ? mode : mode | 0o440);
}

/** A group that owns a volume may look into its folders, and what is made there is the group's. */
function giveFolder(path: string, gid: number): void {
  chownSync(path, -1, gid);
  chmodSync(path, (statSync(path).mode & 0o7777) | 0o2550);
}

function foldersIn(dir: string): readonly string[] {
  const inner = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [dir, ...inner.flatMap(({ name }) => foldersIn(join(dir, name)))];
}

/** One link for each first path element, and none for what is no longer there. What is not a link is not ours: it is the
 *  place where another volume is mounted within this one. */
function linkNames(dir: string, payload: Payload): void {
  const wanted = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
  const links = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
  for (const { name } of links) {
    if (name.startsWith("..")) continue;
    if (!wanted.delete(name)) unlinkSync(join(dir, name));
  }
  for (const name of wanted) symlinkSync(join(DATA, name), join(dir, name));
}

function isSame(dir: string, payload: Payload): boolean {
  const standing = filesIn(dir, "");
  if (standing.length !== payload.size) return false;
  return standing.every((path) => {
    const wanted = payload.get(path);
    return wanted !== undefined && readFileSync(join(dir, path)).equals(wanted.content);
  });
}

function filesIn(dir: string, prefix: string): readonly string[] {
  return readdirSync(join(dir, prefix)).flatMap((name) => {
    const path = prefix === "" ? name : `${prefix}/${name}`;
    return lstatSync(join(dir, path)).isDirectory() ? filesIn(dir, path) : [path];
  });
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
