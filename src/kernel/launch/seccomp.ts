import { type BpfStep, encodeBpf, JUMP_IF, LOAD, RETURN } from "#wire/classic-bpf";
import type { Arch } from "../program/machine.ts";
import type { Capability } from "./capabilities.ts";
import { DENIED_CALLS, LAST_KNOWN_CALL } from "./denied-calls.ts";

const CALL_NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;

const ALLOW = 0x7fff0000;
const REFUSE = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;

const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const CLONE = { x64: 56, arm64: 220 } as const;
const CLONE3 = 435;
const PERSONALITY = { x64: 135, arm64: 92 } as const;
const SOCKET = { x64: 41, arm64: 198 } as const;
/** Linux, without the randomised address space or with the 32-bit one's form, and asking which it is. */
const PERSONALITIES = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];
const AF_VSOCK = 40;
/** Mount, cgroup, UTS, IPC, user, PID, network. */
const CLONE_NAMESPACES = 0x7e020000;

/** The kernel's filter for "RuntimeDefault": refuses the calls that a container has no business with, unless a capability says it
 *  has. Other architectures' calls (32 bits) and those newer than the table do not exist here.
 *  @see seccomp(2); the default profiles of Docker and containerd, which it follows, list what is allowed instead */
export function defaultFilter(arch: Arch, held: ReadonlySet<Capability>): Uint8Array {
  const denied = DENIED_CALLS.filter(({ unless }) => unless === undefined || !held.has(unless)).flatMap(
    ({ numbers }) => numbers[arch] ?? [],
  );
  return encodeBpf([
    [LOAD.word, ARCHITECTURE],
    [JUMP_IF.equal, AUDIT_ARCH[arch], 1, 0],
    [RETURN, REFUSE | ENOSYS],
    [LOAD.word, CALL_NUMBER],
    [JUMP_IF.atLeast, LAST_KNOWN_CALL + 1, 0, 1],
    [RETURN, REFUSE | ENOSYS],
    ...denied.flatMap((number): readonly BpfStep[] => [
      [JUMP_IF.equal, number, 0, 1],
      [RETURN, REFUSE | EPERM],
    ]),
    ...(held.has("SYS_ADMIN") ? [] : namespaceCalls(arch)),
    ...onArgument(SOCKET[arch], [
      [JUMP_IF.equal, AF_VSOCK, 0, 1],
      [RETURN, REFUSE | EPERM],
      [RETURN, ALLOW],
    ]),
    ...onArgument(PERSONALITY[arch], [
      ...PERSONALITIES.flatMap((value): readonly BpfStep[] => [
        [JUMP_IF.equal, value, 0, 1],
        [RETURN, ALLOW],
      ]),
      [RETURN, REFUSE | EPERM],
    ]),
    [RETURN, ALLOW],
  ]);
}

/** A clone without namespaces stays; clone3, whose flags a filter cannot see, does not exist, and the C library falls back. */
function namespaceCalls(arch: Arch): readonly BpfStep[] {
  return [
    [JUMP_IF.equal, CLONE3, 0, 1],
    [RETURN, REFUSE | ENOSYS],
    ...onArgument(CLONE[arch], [
      [JUMP_IF.anyBit, CLONE_NAMESPACES, 0, 1],
      [RETURN, REFUSE | EPERM],
      [RETURN, ALLOW],
    ]),
  ];
}

/** Decides about one call by the lower half of its first argument; all others go on behind it, their number still loaded. */
function onArgument(call: number, decide: readonly BpfStep[]): readonly BpfStep[] {
  return [[JUMP_IF.equal, call, 0, decide.length + 1], [LOAD.word, FIRST_ARGUMENT], ...decide];
}
