import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MS_BIND, MS_NODEV, MS_NOSUID, MS_REC, mount, umount } from "./ffi/libc.ts";

/** Mounts an empty file system in memory on `path`, without devices and set-uid programs. `options` are tmpfs's own, such as
 *  `size=64m,mode=700`. @throws {SyscallFault} @see tmpfs(5) */
export function mountTmpfs(path: string, options: string): void {
  mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

/** Takes the mount away at once, and its files when the last user closes them. @throws {SyscallFault} EINVAL when nothing is mounted there */
export function unmount(path: string): void {
  umount(path);
}

/** Shows what is at `source`, with all that is mounted below it, at `target` too. Both stand. @throws {SyscallFault} */
export function mountBind(source: string, target: string): void {
  mount(source, target, null, MS_BIND | MS_REC);
}

/** Whether a file system of its own is mounted at `path`: a part of the one around it, bound there, is none. Costs the same however
 *  much is mounted on the machine. */
export function hasOwnFileSystem(path: string): boolean {
  try {
    return statSync(path).dev !== statSync(join(path, "..")).dev;
  } catch {
    return false;
  }
}

/** Where something is mounted at `dir` or below it, innermost last. */
export function mountsAt(dir: string): readonly string[] {
  return readFileSync("/proc/thread-self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescaped(line.split(" ")[4] ?? ""))
    .filter((point) => point === dir || point.startsWith(`${dir}/`));
}

/** Takes all mounts at `dir` and below away. @throws {SyscallFault} */
export function unmountAll(dir: string): void {
  for (const point of [...mountsAt(dir)].reverse()) umount(point);
}

/** Spaces and the like are octal in mountinfo. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Mounts an overlay of folders made in `dir` and takes it away again: returns when that file system bears one.
 *  @throws {SyscallFault} EINVAL where it does not, ENODEV where the kernel has none @see overlayfs.rst, "Workdir" */
export function tryOverlay(dir: string): void {
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => {
    const path = join(dir, name);
    mkdirSync(path);
    return path;
  });
  const target = merged ?? dir;
  mount("overlay", target, "overlay", 0, `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
  umount(target);
}
