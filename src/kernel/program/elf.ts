import { CODE_ADDRESS, DATA_ADDRESS, type Machine } from "./machine.ts";

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const EXECUTE = 1;
const WRITE = 2;
const READ = 4;

/** A static executable for Linux of the machine's code and `data`, loaded at their addresses; nothing in it is both writable
 *  and executable. @see elf(5) */
export function elfExecutable({ elfMachine, pageBytes, code }: Machine, data: Uint8Array): Buffer {
  const codeOffset = HEADER_BYTES + 3 * SEGMENT_BYTES;
  const file = Buffer.alloc(pageBytes + data.length);
  file.write("\x7fELF\x02\x01\x01", "latin1"); // 64 bits, little-endian, version 1
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(elfMachine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(CODE_ADDRESS + codeOffset), 24); // where it starts
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32); // where the segments are
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(SEGMENT_BYTES, 54);
  file.writeUInt16LE(3, 56);
  const codeBytes = codeOffset + code.length;
  const segments = [
    { type: PT_LOAD, flags: READ | EXECUTE, offset: 0, address: CODE_ADDRESS, bytes: codeBytes },
    { type: PT_LOAD, flags: READ | WRITE, offset: pageBytes, address: DATA_ADDRESS, bytes: data.length },
    { type: PT_GNU_STACK, flags: READ | WRITE, offset: 0, address: 0, bytes: 0 },
  ];
  for (const [i, segment] of segments.entries()) {
    const at = HEADER_BYTES + i * SEGMENT_BYTES;
    file.writeUInt32LE(segment.type, at);
    file.writeUInt32LE(segment.flags, at + 4);
    const { offset, address, bytes } = segment;
    for (const [j, value] of [offset, address, address, bytes, bytes, pageBytes].entries())
      file.writeBigUInt64LE(BigInt(value), at + 8 + 8 * j);
  }
  file.set(code, codeOffset);
  file.set(data, pageBytes);
  return file;
}
