/** A growing buffer of netlink messages, for batches of many thousand elements: attributes are written in place and nests
 *  closed by filling in their length. Little-endian headers, as on x86-64 and arm64. */
const encoder = new TextEncoder();
const NLA_F_NESTED = 0x8000;

export class NfWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** What was written; valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Opens a message (netlink header, then nfgenmsg). @returns its start, for `endMessage` */
  message(head: { type: number; flags: number; seq: number; family: number; resource: number }): number {
    this.#room(20);
    const start = this.#at;
    this.#view.setUint16(start + 4, head.type, true);
    this.#view.setUint16(start + 6, head.flags, true);
    this.#view.setUint32(start + 8, head.seq, true);
    this.#view.setUint32(start + 12, 0, true);
    this.#view.setUint8(start + 16, head.family);
    this.#view.setUint8(start + 17, 0);
    this.#view.setUint16(start + 18, head.resource);
    this.#at = start + 20;
    return start;
  }

  endMessage(start: number): void {
    this.#view.setUint32(start, this.#at - start, true);
  }

  /** Opens a nested attribute. @returns its start, for `endNest` */
  nest(type: number): number {
    this.#room(4);
    const start = this.#at;
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
    this.#at += 4;
    return start;
  }

  endNest(start: number): void {
    this.#view.setUint16(start, this.#at - start, true);
  }

  value(type: number, bytes: Uint8Array): void {
    const length = 4 + bytes.length;
    const padded = (length + 3) & ~3;
    this.#room(padded);
    this.#view.setUint16(this.#at, length, true);
    this.#view.setUint16(this.#at + 2, type, true);
    this.#bytes.set(bytes, this.#at + 4);
    this.#bytes.fill(0, this.#at + length, this.#at + padded);
    this.#at += padded;
  }

  /** Text with its closing NUL. */
  text(type: number, text: string): void {
    this.value(type, encoder.encode(`${text}\0`));
  }

  /** Big-endian, as netfilter's numbers are. */
  u32(type: number, number: number): void {
    this.#room(8);
    this.#view.setUint16(this.#at, 8, true);
    this.#view.setUint16(this.#at + 2, type, true);
    this.#view.setUint32(this.#at + 4, number);
    this.#at += 8;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
