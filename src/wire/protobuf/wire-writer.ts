/** Builds the wire format of protocol buffers, field by field. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];

  /** An unsigned number; a negative one as its 64-bit two's complement, as the format has it. */
  varint(field: number, value: bigint): void {
    this.#parts.push(encodeVarint(BigInt(field) << 3n), encodeVarint(value));
  }

  double(field: number, value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#parts.push(encodeVarint((BigInt(field) << 3n) | 1n), bytes);
  }

  /** Text, an embedded message, or a packed list. */
  bytes(field: number, value: Uint8Array): void {
    this.#parts.push(encodeVarint((BigInt(field) << 3n) | 2n), encodeVarint(BigInt(value.length)), value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export function encodeVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  bytes.push(Number(left));
  return Uint8Array.from(bytes);
}
