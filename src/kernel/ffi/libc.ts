/** The C library, declared once and checked here: every wrapper throws `SyscallFault` and hands out no pointer.
 *  Numbers are Linux's on x86-64 and arm64, which agree on all that is used here. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const raw = {
  socket: libc.func("int socket(int domain, int type, int protocol)"),
  bind: libc.func("int bind(int fd, void *addr, unsigned int length)"),
  listen: libc.func("int listen(int fd, int backlog)"),
  connect: libc.func("int connect(int fd, void *addr, unsigned int length)"),
  send: libc.func("long send(int fd, void *data, size_t length, int flags)"),
  recv: libc.func("long recv(int fd, void *data, size_t length, int flags)"),
  setsockopt: libc.func("int setsockopt(int fd, int level, int name, void *value, unsigned int length)"),
  getsockname: libc.func("int getsockname(int fd, void *address, void *length)"),
  close: libc.func("int close(int fd)"),
  open: libc.func("int open(const char *path, int flags, int mode)"),
  setns: libc.func("int setns(int fd, int type)"),
  unshare: libc.func("int unshare(int flags)"),
  mount: libc.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  ),
  umount2: libc.func("int umount2(const char *target, int flags)"),
  sethostname: libc.func("int sethostname(const char *name, size_t length)"),
  mkfifo: libc.func("int mkfifo(const char *path, unsigned int mode)"),
  fcntl: libc.func("int fcntl(int fd, int command, long argument)"),
  flock: libc.func("int flock(int fd, int operation)"),
  getsockopt: libc.func("int getsockopt(int fd, int level, int name, void *value, void *length)"),
};

/** Calls that the C library has no wrapper for, each with the arguments it takes. */
const direct = {
  pivotRoot: libc.func("syscall", "long", ["long", "const char *", "const char *"]),
  mountSetattr: libc.func("syscall", "long", [
    "long",
    "int",
    "const char *",
    "unsigned int",
    "void *",
    "size_t",
  ]),
};
const SYS_PIVOT_ROOT = process.arch === "arm64" ? 41 : 155;
const SYS_MOUNT_SETATTR = 442;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_NODEV = 4n;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;

export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
export const SO_RCVBUFFORCE = 33;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const SOCK_CLOEXEC = 0o2000000;
export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const CLONE_FS = 0x00000200;
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;

/** @returns a descriptor the caller owns */
export function socket(domain: number, type: number, protocol: number): number {
  return checked(
    raw.socket(domain, type, protocol),
    "open socket",
    `of family ${domain}, protocol ${protocol}`,
  );
}

export function bind(fd: number, address: Uint8Array): void {
  checked(raw.bind(fd, address, address.length), "bind", `descriptor ${fd}`);
}

export function listen(fd: number, backlog: number): void {
  checked(raw.listen(fd, backlog), "listen on", `descriptor ${fd}`);
}

/** Waits until the other end has answered, unless the descriptor is told not to. */
export function connect(fd: number, address: Uint8Array): void {
  checked(raw.connect(fd, address, address.length), "connect", `descriptor ${fd}`);
}

export function send(fd: number, data: Uint8Array, flags = 0): number {
  const result = uninterrupted(() => raw.send(fd, data, data.length, flags));
  return Number(checked(result, "send on", `descriptor ${fd}`));
}

/** Blocks unless the descriptor or `flags` say otherwise. @returns how many bytes arrived */
export function recv(fd: number, into: Uint8Array, flags = 0): number {
  const result = uninterrupted(() => raw.recv(fd, into, into.length, flags));
  return Number(checked(result, "receive on", `descriptor ${fd}`));
}

/** Calls again when a signal came in between: only calls with a time limit are not resumed by the kernel itself, and their
 *  limit then begins anew (`undisturbed` in `signal-calls.ts` keeps it). */
function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (Number(result) >= 0 || koffi.errno() !== EINTR) return result;
  }
}
const EINTR = 4;

export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): void {
  checked(raw.setsockopt(fd, level, name, value, value.length), "set an option of", `descriptor ${fd}`);
}

/** Fills `into` with the address the socket has. */
export function getsockname(fd: number, into: Uint8Array): void {
  const length = new Uint32Array([into.length]);
  checked(raw.getsockname(fd, into, length), "read the address of", `descriptor ${fd}`);
}

export function close(fd: number): void {
  checked(raw.close(fd), "close", `descriptor ${fd}`);
}

/** `mode` is that of a file it makes. @returns a descriptor the caller owns */
export function open(path: string, flags: number, mode = 0): number {
  return checked(raw.open(path, flags, mode), "open", path);
}

/** Moves this thread into the namespace behind `fd`; `type` 0 takes whatever kind it is. */
export function setns(fd: number, type: number): void {
  checked(raw.setns(fd, type), "enter the namespace of", `descriptor ${fd}`);
}

export function unshare(flags: number): void {
  checked(raw.unshare(flags), "unshare", `namespaces 0x${flags.toString(16)}`);
}

export function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  checked(
    raw.mount(source, target, type, flags, data),
    "mount",
    `${source ?? type ?? "propagation"} on ${target}`,
  );
}

export function umount(target: string, flags = MNT_DETACH): void {
  checked(raw.umount2(target, flags), "unmount", target);
}

export function sethostname(name: string): void {
  checked(raw.sethostname(name, Buffer.byteLength(name)), "set the host name", name);
}

export function mkfifo(path: string, mode: number): void {
  checked(raw.mkfifo(path, mode), "make the pipe", path);
}

/** How much a pipe holds before its writer waits. @returns what the kernel made of it */
export function setPipeSize(fd: number, bytes: number): number {
  return checked(raw.fcntl(fd, F_SETPIPE_SZ, bytes), "size the pipe", `descriptor ${fd}`);
}
const F_SETPIPE_SZ = 1031;

/** Locks the file open at `fd` for this descriptor alone, or gives it free. @throws {SyscallFault} EAGAIN: somebody has it */
export function flock(fd: number, operation: "lock" | "unlock"): void {
  checked(raw.flock(fd, operation === "lock" ? LOCK_EX | LOCK_NB : LOCK_UN), operation, `descriptor ${fd}`);
}
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/** Fills `into` with an option's value. */
export function getsockopt(fd: number, level: number, name: number, into: Uint8Array): void {
  const length = new Uint32Array([into.length]);
  checked(raw.getsockopt(fd, level, name, into, length), "read an option of", `descriptor ${fd}`);
}

/** Makes the folder `newRoot` (a mount point) the root of this thread's mount namespace; the old root is then at `oldRoot`. */
export function pivotRoot(newRoot: string, oldRoot: string): void {
  checked(Number(direct.pivotRoot(SYS_PIVOT_ROOT, newRoot, oldRoot)), "make the root of", newRoot);
}

/** Makes the mount at `target`, and all below it, read-only or without devices, keeping its other flags (Linux 5.12). */
export function restrictMount(target: string, without: { write?: boolean; devices?: boolean }): void {
  const set = (without.write ? MOUNT_ATTR_RDONLY : 0n) | (without.devices ? MOUNT_ATTR_NODEV : 0n);
  const attributes = new BigUint64Array([set, 0n, 0n, 0n]); // struct mount_attr: attr_set
  checked(
    Number(direct.mountSetattr(SYS_MOUNT_SETATTR, AT_FDCWD, target, AT_RECURSIVE, attributes, 32)),
    "restrict the mount",
    target,
  );
}

/** Makes the one mount at `target` read-only, not those below it. */
export function remountReadOnly(target: string): void {
  mount(null, target, null, MS_REMOUNT | MS_BIND | MS_RDONLY);
}

function checked(result: number, call: string, subject: string): number {
  if (Number(result) >= 0) return result;
  throw new SyscallFault(call, subject, koffi.errno());
}
