import type { SyscallProgram } from "../program/syscall-program.ts";
import { CAPABILITIES, type Capability, capabilityBits } from "./capabilities.ts";

/** Who a program is and what it may do. */
export interface Rights {
  readonly uid: number;
  readonly gid: number;
  /** Beside `gid`; those of this process are never kept. */
  readonly groups: readonly number[];
  /** What root has here, and what a set-uid program could ever gain. A user other than root has none of them in hand. */
  readonly capabilities: ReadonlySet<Capability>;
  /** Set-uid programs and file capabilities give nothing. */
  readonly noNewPrivileges: boolean;
  /** Of system calls, as seccomp(2) takes it; undefined lets all pass. */
  readonly filter: Uint8Array | undefined;
}

/** Root, with everything this process may give. */
export const ALL_RIGHTS: Rights = {
  uid: 0,
  gid: 0,
  groups: [],
  capabilities: new Set(CAPABILITIES),
  noNewPrivileges: false,
  filter: undefined,
};

const PR_SET_SECCOMP = 22;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const CAPABILITY_VERSION_3 = 0x20080522;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** Takes the rights in the one order that works: each step needs a right that a later one gives away. */
export function takeRights(program: SyscallProgram, rights: Rights): void {
  const { uid, gid, groups, capabilities, filter } = rights;
  // A kernel may know fewer than this list.
  for (const [number, name] of CAPABILITIES.entries())
    if (!capabilities.has(name))
      program.call("prctl", [PR_CAPBSET_DROP, number, 0, 0, 0], { onError: "next" });
  if (filter) {
    const instructions = program.words([filter.length / 8, program.bytes(filter)]);
    // While every capability is there: without no_new_privs only CAP_SYS_ADMIN may filter.
    program.call("prctl", [PR_SET_SECCOMP, SECCOMP_MODE_FILTER, instructions, 0, 0]);
  }
  const list = Buffer.alloc(groups.length * 4);
  for (const [i, group] of groups.entries()) list.writeUInt32LE(group, i * 4);
  program.call("setgroups", [groups.length, program.bytes(list)]);
  program.call("setresgid", [gid, gid, gid]);
  program.call("setresuid", [uid, uid, uid]);
  program.call("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], { onError: "next" }); // Linux 4.3
  setCapabilities(program, uid === 0 ? capabilityBits(capabilities) : 0n);
  if (rights.noNewPrivileges) program.call("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
}

/** Effective and permitted; nothing is inheritable. A kernel that does not know some of them refuses those alone at the drop. */
function setCapabilities(program: SyscallProgram, bits: bigint): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0);
  const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
  const sets = Buffer.alloc(24);
  for (const [i, word] of [low, low, 0, high, high, 0].entries()) sets.writeUInt32LE(word, i * 4);
  // Refused where this process itself has less: execve then gives what both have.
  program.call("capset", [program.bytes(header), program.bytes(sets)], { onError: "next" });
}
