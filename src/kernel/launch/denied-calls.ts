import type { Arch } from "../program/machine.ts";
import type { Capability } from "./capabilities.ts";

export interface DeniedCall {
  readonly name: string;
  readonly numbers: Readonly<Partial<Record<Arch, number>>>;
  /** Who has this capability may call it. */
  readonly unless?: Capability;
}

/** The newest call that the table was made knowing (setxattrat and its kin are 463 to 466). */
export const LAST_KNOWN_CALL = 466;

/** Calls that reach past a container: into other namespaces, the kernel's code, its keys, its devices.
 *  @see arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux */
export const DENIED_CALLS: readonly DeniedCall[] = [
  { name: "add_key", numbers: { x64: 248, arm64: 217 } },
  { name: "request_key", numbers: { x64: 249, arm64: 218 } },
  { name: "keyctl", numbers: { x64: 250, arm64: 219 } },
  { name: "kexec_load", numbers: { x64: 246, arm64: 104 } },
  { name: "kexec_file_load", numbers: { x64: 320, arm64: 294 } },
  { name: "userfaultfd", numbers: { x64: 323, arm64: 282 } },
  { name: "io_uring_setup", numbers: { x64: 425, arm64: 425 } },
  { name: "io_uring_enter", numbers: { x64: 426, arm64: 426 } },
  { name: "io_uring_register", numbers: { x64: 427, arm64: 427 } },
  { name: "move_pages", numbers: { x64: 279, arm64: 239 } },
  { name: "migrate_pages", numbers: { x64: 256, arm64: 238 } },
  { name: "create_module", numbers: { x64: 174 } },
  { name: "get_kernel_syms", numbers: { x64: 177 } },
  { name: "query_module", numbers: { x64: 178 } },
  { name: "nfsservctl", numbers: { x64: 180, arm64: 42 } },
  { name: "quotactl", numbers: { x64: 179, arm64: 60 } },
  { name: "quotactl_fd", numbers: { x64: 443, arm64: 443 } },
  { name: "swapon", numbers: { x64: 167, arm64: 224 } },
  { name: "swapoff", numbers: { x64: 168, arm64: 225 } },
  { name: "pivot_root", numbers: { x64: 155, arm64: 41 } },
  { name: "sysfs", numbers: { x64: 139 } },
  { name: "_sysctl", numbers: { x64: 156 } },
  { name: "uselib", numbers: { x64: 134 } },
  { name: "ustat", numbers: { x64: 136 } },
  { name: "vserver", numbers: { x64: 236 } },
  { name: "pidfd_getfd", numbers: { x64: 438, arm64: 438 } },
  { name: "fanotify_init", numbers: { x64: 300, arm64: 262 }, unless: "SYS_ADMIN" },
  { name: "lookup_dcookie", numbers: { x64: 212, arm64: 18 }, unless: "SYS_ADMIN" },
  { name: "mount", numbers: { x64: 165, arm64: 40 }, unless: "SYS_ADMIN" },
  { name: "umount2", numbers: { x64: 166, arm64: 39 }, unless: "SYS_ADMIN" },
  { name: "move_mount", numbers: { x64: 429, arm64: 429 }, unless: "SYS_ADMIN" },
  { name: "fsopen", numbers: { x64: 430, arm64: 430 }, unless: "SYS_ADMIN" },
  { name: "fsconfig", numbers: { x64: 431, arm64: 431 }, unless: "SYS_ADMIN" },
  { name: "fsmount", numbers: { x64: 432, arm64: 432 }, unless: "SYS_ADMIN" },
  { name: "fspick", numbers: { x64: 433, arm64: 433 }, unless: "SYS_ADMIN" },
  { name: "open_tree", numbers: { x64: 428, arm64: 428 }, unless: "SYS_ADMIN" },
  { name: "mount_setattr", numbers: { x64: 442, arm64: 442 }, unless: "SYS_ADMIN" },
  { name: "setdomainname", numbers: { x64: 171, arm64: 162 }, unless: "SYS_ADMIN" },
  { name: "sethostname", numbers: { x64: 170, arm64: 161 }, unless: "SYS_ADMIN" },
  { name: "setns", numbers: { x64: 308, arm64: 268 }, unless: "SYS_ADMIN" },
  { name: "unshare", numbers: { x64: 272, arm64: 97 }, unless: "SYS_ADMIN" },
  { name: "perf_event_open", numbers: { x64: 298, arm64: 241 }, unless: "SYS_ADMIN" },
  { name: "bpf", numbers: { x64: 321, arm64: 280 }, unless: "SYS_ADMIN" },
  { name: "reboot", numbers: { x64: 169, arm64: 142 }, unless: "SYS_BOOT" },
  { name: "chroot", numbers: { x64: 161, arm64: 51 }, unless: "SYS_CHROOT" },
  { name: "delete_module", numbers: { x64: 176, arm64: 106 }, unless: "SYS_MODULE" },
  { name: "finit_module", numbers: { x64: 313, arm64: 273 }, unless: "SYS_MODULE" },
  { name: "init_module", numbers: { x64: 175, arm64: 105 }, unless: "SYS_MODULE" },
  { name: "acct", numbers: { x64: 163, arm64: 89 }, unless: "SYS_PACCT" },
  { name: "kcmp", numbers: { x64: 312, arm64: 272 }, unless: "SYS_PTRACE" },
  { name: "process_madvise", numbers: { x64: 440, arm64: 440 }, unless: "SYS_PTRACE" },
  { name: "ioperm", numbers: { x64: 173 }, unless: "SYS_RAWIO" },
  { name: "iopl", numbers: { x64: 172 }, unless: "SYS_RAWIO" },
  { name: "clock_adjtime", numbers: { x64: 305, arm64: 266 }, unless: "SYS_TIME" },
  { name: "clock_settime", numbers: { x64: 227, arm64: 112 }, unless: "SYS_TIME" },
  { name: "settimeofday", numbers: { x64: 164, arm64: 170 }, unless: "SYS_TIME" },
  { name: "vhangup", numbers: { x64: 153, arm64: 58 }, unless: "SYS_TTY_CONFIG" },
  { name: "get_mempolicy", numbers: { x64: 239, arm64: 236 }, unless: "SYS_NICE" },
  { name: "mbind", numbers: { x64: 237, arm64: 235 }, unless: "SYS_NICE" },
  { name: "set_mempolicy", numbers: { x64: 238, arm64: 237 }, unless: "SYS_NICE" },
  { name: "set_mempolicy_home_node", numbers: { x64: 450, arm64: 450 }, unless: "SYS_NICE" },
  { name: "syslog", numbers: { x64: 103, arm64: 116 }, unless: "SYSLOG" },
  { name: "open_by_handle_at", numbers: { x64: 304, arm64: 265 }, unless: "DAC_READ_SEARCH" },
];
