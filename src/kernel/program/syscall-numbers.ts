import type { Arch } from "./machine.ts";

/** The calls that programs make, by the numbers they have on x86-64 and on arm64.
 *  @see arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux */
const NUMBERS = {
  capset: [126, 91],
  clock_gettime: [228, 113],
  clone: [56, 220],
  close: [3, 57],
  close_range: [436, 436],
  execve: [59, 221],
  exit_group: [231, 94],
  fcntl: [72, 25],
  fdatasync: [75, 83],
  getpid: [39, 172],
  ioctl: [16, 29],
  mount: [165, 40],
  openat: [257, 56],
  ppoll: [271, 73],
  prctl: [157, 167],
  prlimit64: [302, 261],
  pwrite64: [18, 68],
  rt_sigprocmask: [14, 135],
  rt_sigtimedwait: [128, 137],
  setgroups: [116, 159],
  setns: [308, 268],
  setresgid: [119, 149],
  setresuid: [117, 147],
  setsid: [112, 157],
  umask: [95, 166],
  umount2: [166, 39],
  unshare: [272, 97],
  waitid: [247, 95],
  write: [1, 64],
} as const;

export type Syscall = keyof typeof NUMBERS;

export function syscallNumber(call: Syscall, arch: Arch): number {
  const [x64, arm64] = NUMBERS[call];
  return arch === "x64" ? x64 : arm64;
}
