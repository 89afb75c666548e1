/** Programs of classic BPF, which the kernel runs on packets, netlink messages and system calls. @see bpf(2), linux/bpf_common.h */

/** Loads of a number into the accumulator: from a packet big-endian, from a system call's data as it stands. */
export const LOAD = { byte: 0x30, half: 0x28, word: 0x20 } as const;
export const JUMP_IF = { equal: 0x15, atLeast: 0x35, anyBit: 0x45 } as const;
export const RETURN = 0x06;

/** One instruction: what to do, with what, and how many to skip if it holds or not. */
export type BpfStep = readonly [code: number, k: number, ifTrue?: number, ifFalse?: number];

const STEP_BYTES = 8;

/** An array of struct sock_filter. */
export function encodeBpf(steps: readonly BpfStep[]): Uint8Array {
  const out = Buffer.alloc(steps.length * STEP_BYTES);
  for (const [i, [code, k, ifTrue = 0, ifFalse = 0]] of steps.entries()) {
    out.writeUInt16LE(code, i * STEP_BYTES);
    out.writeUInt8(ifTrue, i * STEP_BYTES + 2);
    out.writeUInt8(ifFalse, i * STEP_BYTES + 3);
    out.writeUInt32LE(k >>> 0, i * STEP_BYTES + 4);
  }
  return out;
}
