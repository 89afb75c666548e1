/** The C functions of terminals and pipes, declared and checked here like those of `libc.ts`. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const raw = {
  ioctlPointer: libc.func("int ioctl(int fd, unsigned long request, void *argument)"),
  ioctlNumber: libc.func("ioctl", "int", ["int", "unsigned long", "long"]),
  pipe2: libc.func("int pipe2(void *fds, int flags)"),
  fcntl: libc.func("fcntl", "int", ["int", "int", "long"]),
};
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

function checked(result: number, call: string, fd: number): number {
  if (result >= 0) return result;
  throw new SyscallFault(call, `descriptor ${fd}`, koffi.errno());
}
