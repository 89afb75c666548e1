import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { Fault } from "#fault/fault";
import { mountBind, unmountAll } from "#kernel/mount";

/** Names a file without opening it; `fs.constants` does not have it. */
const O_PATH = 0o10000000;

/** Shows what is at `subPath` in a volume at `target`, for one run of one container: a folder that is missing is made with the volume's
 *  mode, links are followed only within the volume, and what a container puts in their place meanwhile does not matter, as the mount is of
 *  what was opened. @throws {Fault} "CreateContainerConfigError" @see kubernetes pkg/volume/util/subpath */
export function bindSubPath(volume: string, subPath: string, target: string): void {
  if (subPath.startsWith("/") || subPath.split("/").includes(".."))
    throw wrong(`subPath ${JSON.stringify(subPath)} must be relative and stay inside the volume`);
  const root = realpathSync(volume);
  const path = relative(root, followed(root, join(root, subPath)));
  if (path === ".." || path.startsWith("../"))
    throw wrong(`subPath ${JSON.stringify(subPath)} leads out of the volume`);
  const fd = openBelow(root, path);
  try {
    unmountAll(target); // What an earlier run of the container saw may be another file by now.
    makeTarget(target, fstatSync(fd).isDirectory());
    mountBind(`/proc/self/fd/${fd}`, target);
  } finally {
    closeSync(fd);
  }
}

/** The path with the links of its standing part followed. */
function followed(root: string, path: string): string {
  let rest = "";
  for (let at = path; at !== dirname(root); at = dirname(at)) {
    if (stands(at)) return join(resolved(at), rest);
    rest = join(at.slice(dirname(at).length + 1), rest);
  }
  throw new Error("broken invariant: the volume's own folder stands");
}

function stands(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw wrong(`subPath leads through a link to nowhere: ${path}`);
  }
}

/** Opens component by component, none of which may be a link; those that are missing become folders. */
function openBelow(root: string, path: string): number {
  const mode = statSync(root).mode & 0o777;
  let fd = openSync(root, O_PATH | constants.O_DIRECTORY);
  for (const name of path.split("/").filter((part) => part !== "")) {
    const above = fd;
    try {
      fd = openOrMake(`/proc/self/fd/${above}/${name}`, mode);
    } finally {
      closeSync(above);
    }
  }
  return fd;
}

function openOrMake(path: string, mode: number): number {
  const flags = O_PATH | constants.O_NOFOLLOW;
  try {
    const fd = openSync(path, flags);
    if (!fstatSync(fd).isSymbolicLink()) return fd;
    closeSync(fd);
    throw wrong("subPath has become a link while it was followed");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  mkdirSync(path, { mode });
  const fd = openSync(path, flags | constants.O_DIRECTORY);
  // Whatever the umask; what is made in a folder of a group stays the group's.
  chmodSync(`/proc/self/fd/${fd}`, mode | (fstatSync(fd).mode & 0o2000));
  return fd;
}

function makeTarget(target: string, isFolder: boolean): void {
  mkdirSync(isFolder ? target : dirname(target), { recursive: true, mode: 0o750 });
  if (!isFolder && !stands(target)) writeFileSync(target, "", { mode: 0o640 });
}

function wrong(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}
