import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MS_NODEV, MS_NOSUID, mount, umount } from "./ffi/libc.ts";

/** Mounts an empty file system in memory on `path`, without devices and set-uid programs. `options` are tmpfs's own, such as
 *  `size=64m,mode=700`. @throws {SyscallFault} @see tmpfs(5) */
export function mountTmpfs(path: string, options: string): void {
  mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

/** Takes the mount away at once, and its files when the last user closes them. @throws {SyscallFault} EINVAL when nothing is mounted there */
export function unmount(path: string): void {
  umount(path);
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
