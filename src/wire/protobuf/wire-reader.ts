import { Fault } from "#fault/fault";

export class ProtobufFault extends Fault<"BadProtobuf"> {
  constructor(message: string) {
    super("BadProtobuf", message);
  }
}

/** Reads the wire format of protocol buffers, never past its end. @throws {ProtobufFault} */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tag(): { readonly field: number; readonly wireType: number } {
    const tag = this.#length();
    return { field: Math.floor(tag / 8), wireType: tag % 8 };
  }

  /** An unsigned number of up to 64 bits. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new ProtobufFault("proto: unexpected end of a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufFault("proto: integer overflow");
  }

  bytes(): Uint8Array {
    return this.#take(this.#length());
  }

  /** 4 or 8 bytes of little-endian data. */
  fixed(length: 4 | 8): Uint8Array {
    return this.#take(length);
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.fixed(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.fixed(4);
    else throw new ProtobufFault(`proto: illegal wireType ${wireType}`);
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new ProtobufFault("proto: unexpected end of a field");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Tags and lengths are most of a message and nearly always short: those up to 28 bits go without a bigint. */
  #length(): number {
    const from = this.#at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new ProtobufFault("proto: unexpected end of a number");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.#at = from;
    return Number(this.varint());
  }
}
