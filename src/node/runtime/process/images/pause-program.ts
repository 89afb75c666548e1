import { Fault } from "#fault/fault";

/** Machine code of a process that does nothing but hold a pod's namespaces: it blocks SIGINT, SIGTERM and SIGCHLD, waits for
 *  one of them with rt_sigtimedwait(2), reaps whatever has ended after a SIGCHLD, and exits with 0 after the others. A blocked
 *  signal reaches even process 1, which has no handlers here. Written out because a node has no compiler, and because each
 *  pod pays for it: the process takes up two pages. */
const CODE: Readonly<Record<"x64" | "arm64", readonly (readonly [hex: string, instruction: string])[]>> = {
  x64: [
    ["68 02 40 01 00", "      push 0x14002             signals 2, 15 and 17"],
    ["31 ff", "               xor  edi, edi            SIG_BLOCK"],
    ["48 89 e6", "            mov  rsi, rsp"],
    ["31 d2", "               xor  edx, edx"],
    ["6a 08 41 5a", "         push 8; pop r10          bytes of a signal set"],
    ["6a 0e 58 0f 05", "      push 14; pop rax; syscall        rt_sigprocmask"],
    ["48 89 e7", "      wait: mov  rdi, rsp"],
    ["31 f6 31 d2", "         xor  esi, esi; xor edx, edx"],
    ["6a 08 41 5a", "         push 8; pop r10"],
    ["b8 80 00 00 00 0f 05", "mov  eax, 128; syscall           rt_sigtimedwait"],
    ["83 f8 11 74 0d", "      cmp  eax, 17; je reap    SIGCHLD"],
    ["85 c0 78 e5", "         test eax, eax; js wait   interrupted"],
    ["31 ff", "               xor  edi, edi"],
    ["b8 e7 00 00 00 0f 05", "mov  eax, 231; syscall           exit_group"],
    ["6a ff 5f 31 f6", "reap: push -1; pop rdi; xor esi, esi"],
    ["6a 01 5a 45 31 d2", "   push 1; pop rdx; xor r10d, r10d  WNOHANG"],
    ["6a 3d 58 0f 05", "      push 61; pop rax; syscall        wait4"],
    ["85 c0 7f ec eb c6", "   test eax, eax; jg reap; jmp wait"],
  ],
  arm64: [
    ["53 00 88 d2 33 00 a0 f2", "      mov x19, #0x4002; movk x19, #1, lsl #16   signals 2, 15 and 17"],
    ["ff 43 00 d1 f3 03 00 f9", "      sub sp, sp, #16; str x19, [sp]"],
    ["00 00 80 d2 e1 03 00 91", "      mov x0, #0; mov x1, sp   SIG_BLOCK"],
    ["02 00 80 d2 03 01 80 d2", "      mov x2, #0; mov x3, #8   bytes of a signal set"],
    ["e8 10 80 d2 01 00 00 d4", "      mov x8, #135; svc #0     rt_sigprocmask"],
    ["e0 03 00 91 01 00 80 d2", "wait: mov x0, sp; mov x1, #0"],
    ["02 00 80 d2 03 01 80 d2", "      mov x2, #0; mov x3, #8"],
    ["28 11 80 d2 01 00 00 d4", "      mov x8, #137; svc #0     rt_sigtimedwait"],
    ["1f 44 00 71 a0 00 00 54", "      cmp w0, #17; b.eq reap   SIGCHLD"],
    ["00 ff ff 37 00 00 80 d2", "      tbnz w0, #31, wait; mov x0, #0   interrupted"],
    ["c8 0b 80 d2 01 00 00 d4", "      mov x8, #94; svc #0      exit_group"],
    ["00 00 80 92 01 00 80 d2", "reap: mov x0, #-1; mov x1, #0"],
    ["22 00 80 d2 03 00 80 d2", "      mov x2, #1; mov x3, #0   WNOHANG"],
    ["88 20 80 d2 01 00 00 d4", "      mov x8, #260; svc #0     wait4"],
    ["1f 00 00 71 2c ff ff 54", "      cmp w0, #0; b.gt reap"],
    ["ec ff ff 17", "            b wait"],
  ],
};

/** @see e_machine in elf.h */
const MACHINES = { x64: 62, arm64: 183 } as const;
const HEADER = 64;
const PROGRAM_HEADER = 56;
/** Where the file is mapped. */
const BASE = 0x400000n;
const ALIGNMENT = 0x10000n;

/** A static ELF executable of some two hundred bytes for processors of `arch` (Node's name). @throws {Fault} "NotSupported" */
export function pauseProgram(arch: string): Uint8Array {
  if (arch !== "x64" && arch !== "arm64")
    throw new Fault("NotSupported", `Cannot make the pause image for ${arch}: expected x64 or arm64`);
  const code = Buffer.from(CODE[arch].map(([hex]) => hex.replaceAll(" ", "")).join(""), "hex");
  const size = BigInt(HEADER + PROGRAM_HEADER + code.length);
  const elf = Buffer.alloc(Number(size));
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // "\x7fELF", 64 bits, little-endian, version 1
  elf.writeUInt16LE(2, 16); // e_type: ET_EXEC
  elf.writeUInt16LE(MACHINES[arch], 18);
  elf.writeUInt32LE(1, 20); // e_version
  elf.writeBigUInt64LE(BASE + BigInt(HEADER + PROGRAM_HEADER), 24); // e_entry
  elf.writeBigUInt64LE(BigInt(HEADER), 32); // e_phoff
  elf.writeUInt16LE(HEADER, 52); // e_ehsize
  elf.writeUInt16LE(PROGRAM_HEADER, 54); // e_phentsize
  elf.writeUInt16LE(1, 56); // e_phnum
  elf.writeUInt32LE(1, HEADER); // p_type: PT_LOAD
  elf.writeUInt32LE(5, HEADER + 4); // p_flags: read, execute
  elf.writeBigUInt64LE(BASE, HEADER + 16); // p_vaddr
  elf.writeBigUInt64LE(BASE, HEADER + 24); // p_paddr
  elf.writeBigUInt64LE(size, HEADER + 32); // p_filesz
  elf.writeBigUInt64LE(size, HEADER + 40); // p_memsz
  elf.writeBigUInt64LE(ALIGNMENT, HEADER + 48); // p_align
  elf.set(code, HEADER + PROGRAM_HEADER);
  return elf;
}
