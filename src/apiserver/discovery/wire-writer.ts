/** Writes protocol buffer messages, field by field. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];

  text(field: number, value: string | undefined): this {
    if (value !== undefined && value !== "") this.bytes(field, Buffer.from(value));
    return this;
  }

  texts(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.bytes(field, Buffer.from(value));
    return this;
  }

  flag(field: number, value: boolean): this {
    if (value) this.#parts.push(varint(field * 8), varint(1));
    return this;
  }

  message(field: number, value: WireWriter | undefined): this {
    if (value !== undefined) this.bytes(field, value.finish());
    return this;
  }

  messages(field: number, values: Iterable<WireWriter>): this {
    for (const value of values) this.bytes(field, value.finish());
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varint(field * 8 + 2), varint(value.length), value);
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Uint8Array.from(out);
}
