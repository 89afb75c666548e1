/** The C functions of terminals and pipes, declared and checked here like those of `libc.ts`. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const raw = {
  ioctlPointer: libc.func("int ioctl(int fd, unsigned long request, void *argument)"),
  ioctlNumber: libc.func("ioctl", "int", ["int", "unsigned long", "long"]),
  close: libc.func("int close(int fd)"),
  pipe2: libc.func("int pipe2(void *fds, int flags)"),
  fcntl: libc.func("fcntl", "int", ["int", "int", "long"]),
};
/** Calls that the C library has no wrapper for, each with the arguments it takes. */
const direct = {
  pidfdOpen: libc.func("syscall", "long", ["long", "int", "unsigned int"]),
  pidfdGetfd: libc.func("syscall", "long", ["long", "int", "int", "unsigned int"]),
  fsopen: libc.func("syscall", "long", ["long", "const char *", "unsigned int"]),
  fsconfig: libc.func("syscall", "long", [
    "long",
    "int",
    "unsigned int",
    "const char *",
    "const char *",
    "int",
  ]),
  fsmount: libc.func("syscall", "long", ["long", "int", "unsigned int", "unsigned int"]),
  moveMount: libc.func("syscall", "long", [
    "long",
    "int",
    "const char *",
    "int",
    "const char *",
    "unsigned int",
  ]),
};
const SYS_MOVE_MOUNT = 429;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const AT_FDCWD = -100;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const CLOEXEC = 1; // of fsopen and fsmount alike
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NOEXEC = 8;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** The other side of a terminal, opened without its name, so that it is found in any mount namespace (Linux 4.13). It is not
 *  this process's controlling terminal. @returns a descriptor the caller owns @see TIOCGPTPEER in ioctl_tty(2) */
export function openTerminalPeer(master: number): number {
  const unlocked = Int32Array.of(0);
  checked(raw.ioctlPointer(master, TIOCSPTLCK, unlocked), "unlock the terminal of", master);
  return checked(
    raw.ioctlNumber(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC),
    "open the terminal of",
    master,
  );
}

/** Whatever runs in the terminal's foreground gets SIGWINCH when this differs from before. */
export function setTerminalSize(fd: number, { columns, rows }: { columns: number; rows: number }): void {
  checked(raw.ioctlPointer(fd, TIOCSWINSZ, Uint16Array.of(rows, columns, 0, 0)), "size the terminal of", fd);
}

/** Reads and writes of it no longer wait; descriptors that were copied from it share that. */
export function dontWaitOn(fd: number): void {
  const flags = checked(raw.fcntl(fd, F_GETFL, 0), "read the flags of", fd);
  checked(raw.fcntl(fd, F_SETFL, flags | O_NONBLOCK), "set the flags of", fd);
}

/** @returns another descriptor of the same open file, which the caller owns */
export function duplicate(fd: number): number {
  return checked(raw.fcntl(fd, F_DUPFD_CLOEXEC, 0), "copy", fd);
}

/** @returns two descriptors the caller owns, to read from and to write to */
export function pipe(): readonly [number, number] {
  const fds = new Int32Array(2);
  checked(raw.pipe2(fds, O_CLOEXEC), "make a pipe of", 0);
  const [from = -1, to = -1] = fds;
  return [from, to];
}

/** A devpts of its own, mounted nowhere yet: a descriptor the caller owns. Everybody may open terminals there, which belong to the
 *  group `tty`. */
export function openDevpts(): number {
  const context = checked(Number(direct.fsopen(SYS_FSOPEN, "devpts", CLOEXEC)), "open the file system of", 0);
  try {
    const configure = (command: number, key: string | null, value: string | null) =>
      checked(
        Number(direct.fsconfig(SYS_FSCONFIG, context, command, key, value, 0)),
        "configure devpts at",
        context,
      );
    configure(FSCONFIG_SET_FLAG, "newinstance", null);
    for (const [key, value] of [
      ["ptmxmode", "0666"],
      ["mode", "0620"],
      ["gid", "5"],
    ] as const)
      configure(FSCONFIG_SET_STRING, key, value);
    configure(FSCONFIG_CMD_CREATE, null, null);
    const rights = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    return checked(
      Number(direct.fsmount(SYS_FSMOUNT, context, CLOEXEC, rights)),
      "prepare devpts at",
      context,
    );
  } finally {
    raw.close(context);
  }
}

/** Mounts what `fd` (from `openDevpts`) stands for at `target`. */
export function attachMount(fd: number, target: string): void {
  checked(
    Number(direct.moveMount(SYS_MOVE_MOUNT, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)),
    `mount on ${target}`,
    fd,
  );
}

/** A process, which stays this one whatever becomes of its number. @returns a descriptor the caller owns @throws {SyscallFault} ESRCH */
export function openProcess(pid: number): number {
  return checked(Number(direct.pidfdOpen(SYS_PIDFD_OPEN, pid, 0)), "open the process of pid", pid);
}

/** A copy of what another process has open as `fd`: even a terminal's master, which cannot be opened twice (Linux 5.6).
 *  @returns a descriptor the caller owns @throws {SyscallFault} ESRCH, EBADF */
export function copyFrom(pid: number, fd: number): number {
  const process = openProcess(pid);
  try {
    return checked(
      Number(direct.pidfdGetfd(SYS_PIDFD_GETFD, process, fd, 0)),
      "copy from another process",
      fd,
    );
  } finally {
    raw.close(process);
  }
}

function checked(result: number, call: string, fd: number): number {
  if (result >= 0) return result;
  throw new SyscallFault(call, `descriptor ${fd}`, koffi.errno());
}
