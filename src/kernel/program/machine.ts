/** The one piece of machine code in the house: a loop that makes system calls from a table. What a launcher or a supervisor does
 *  is in the table, which is data (`syscall-program.ts`); so there is nothing to compile, and a supervisor is as small as a
 *  process can be. Written for each processor with its assembler's text beside it. */

export type Arch = "x64" | "arm64";

export interface Machine {
  /** `e_machine` of the ELF header. */
  readonly elfMachine: number;
  /** The largest page the kernel may have: segments start on one. */
  readonly pageBytes: number;
  readonly code: Uint8Array;
}

export const CODE_ADDRESS = 0x400000;
/** Here lie the address of the entry that failed last and its result, 8 bytes each, and then a place for results nobody wants. */
export const DATA_ADDRESS = 0x500000;
export const SCRATCH_OFFSET = 16;
/** Where the table begins. An entry: the call's number, six arguments, the address its result goes to, and the addresses of the
 *  entries that follow an error and a zero; after any other result the next one follows. */
export const TABLE_OFFSET = 0x100;
export const ENTRY_BYTES = 80;

const X64 = code(`
  bd 00 00 50 00        ; 00: mov  $0x500000, %ebp     the data
  48 8d 9d 00 01 00 00  ; 05: lea  0x100(%rbp), %rbx   the first entry
  48 8b 03              ; 0c: mov  (%rbx), %rax        its call
  48 8b 7b 08           ; 0f: mov  8(%rbx), %rdi       and arguments
  48 8b 73 10           ; 13: mov  16(%rbx), %rsi
  48 8b 53 18           ; 17: mov  24(%rbx), %rdx
  4c 8b 53 20           ; 1b: mov  32(%rbx), %r10
  4c 8b 43 28           ; 1f: mov  40(%rbx), %r8
  4c 8b 4b 30           ; 23: mov  48(%rbx), %r9
  0f 05                 ; 27: syscall
  48 8b 4b 38           ; 29: mov  56(%rbx), %rcx
  48 89 01              ; 2d: mov  %rax, (%rcx)        its result
  48 85 c0              ; 30: test %rax, %rax
  78 08                 ; 33: js   3d
  74 14                 ; 35: jz   4b
  48 83 c3 50           ; 37: add  $80, %rbx
  eb cf                 ; 3b: jmp  0c
  48 89 5d 00           ; 3d: mov  %rbx, (%rbp)        what failed
  48 89 45 08           ; 41: mov  %rax, 8(%rbp)       and why
  48 8b 5b 40           ; 45: mov  64(%rbx), %rbx
  eb c1                 ; 49: jmp  0c
  48 8b 5b 48           ; 4b: mov  72(%rbx), %rbx
  eb bb                 ; 4f: jmp  0c
`);

const ARM64 = code(`
  14 0a a0 d2  ; 00: movz x20, #0x50, lsl #16   the data
  93 02 04 91  ; 04: add  x19, x20, #0x100      the first entry
  68 02 40 f9  ; 08: ldr  x8, [x19]             its call
  60 86 40 a9  ; 0c: ldp  x0, x1, [x19, #8]     and arguments
  62 8e 41 a9  ; 10: ldp  x2, x3, [x19, #24]
  64 96 42 a9  ; 14: ldp  x4, x5, [x19, #40]
  01 00 00 d4  ; 18: svc  #0
  69 1e 40 f9  ; 1c: ldr  x9, [x19, #56]
  20 01 00 f9  ; 20: str  x0, [x9]              its result
  80 00 f8 b7  ; 24: tbnz x0, #63, 34
  c0 00 00 b4  ; 28: cbz  x0, 40
  73 42 01 91  ; 2c: add  x19, x19, #80
  f6 ff ff 17  ; 30: b    08
  93 02 00 a9  ; 34: stp  x19, x0, [x20]        what failed, and why
  73 22 40 f9  ; 38: ldr  x19, [x19, #64]
  f3 ff ff 17  ; 3c: b    08
  73 26 40 f9  ; 40: ldr  x19, [x19, #72]
  f1 ff ff 17  ; 44: b    08
`);

export const MACHINES: Readonly<Record<Arch, Machine>> = {
  x64: { elfMachine: 62, pageBytes: 0x1000, code: X64 },
  arm64: { elfMachine: 183, pageBytes: 0x10000, code: ARM64 },
};

function code(listing: string): Uint8Array {
  return Buffer.from(listing.replace(/;.*/g, "").replace(/\s+/g, ""), "hex");
}
