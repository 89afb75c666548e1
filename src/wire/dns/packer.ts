import { encodeName, type Name, readName } from "./name.ts";
import { HEADER_BYTES } from "./query.ts";
import { rdataLayout } from "./rdata.ts";
import type { ResourceRecord } from "./record.ts";

const MAX_POINTER = 0x3fff;

/** Writes names and records into a buffer that grows, compressing names against what is already there.
 *  Offsets count from the start of the message. */
export class Packer {
  #out: Buffer;
  #at: number;
  readonly #base: number;
  readonly #seen = new Map<string, number>();

  /** Starts at byte `base` of a message; what comes before it is written elsewhere. */
  constructor(base: number, capacity = 512) {
    this.#base = base;
    this.#at = 0;
    this.#out = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes `name`, which stands at byte `at` of the message, and the names above it known for compression.
   *  With `from`, only that name and those above it are. */
  know(name: Name, at: number, from: Name = name): void {
    for (let suffix = name; suffix !== "." && suffix !== ""; ) {
      if (suffix.length <= from.length && !this.#seen.has(suffix)) this.#seen.set(suffix, at);
      const dot = endOfLabel(suffix);
      at += encodedLength(suffix, dot) + 1;
      suffix = suffix.slice(dot + 1);
    }
  }

  /** Offset in the message where the next byte goes. */
  get offset(): number {
    return this.#base + this.#at;
  }

  bytes(): Buffer {
    return this.#out.subarray(0, this.#at);
  }

  /** Appends the record; returns the offset of its TTL within `bytes()`. */
  writeRecord(record: ResourceRecord): number {
    this.#writeName(record.owner);
    this.#reserve(10 + record.data.length + 255);
    const fixed = this.#at;
    this.#out.writeUInt16BE(record.type, fixed);
    this.#out.writeUInt16BE(record.class, fixed + 2);
    this.#out.writeUInt32BE(record.ttl, fixed + 4);
    this.#at += 10;
    this.#writeData(record);
    this.#out.writeUInt16BE(this.#at - fixed - 10, fixed + 8);
    return fixed + 4;
  }

  #writeData({ type, data }: ResourceRecord): void {
    const layout = rdataLayout(type);
    if (layout === undefined || !layout.compressible) {
      this.#append(data);
      return;
    }
    this.#append(data.subarray(0, layout.skip));
    let from = layout.skip;
    for (let i = 0; i < layout.names; i++) {
      const { name, next } = readName(data, from);
      this.#writeName(name);
      from = next;
    }
    this.#append(data.subarray(from));
  }

  #writeName(name: Name): void {
    const lower = name.toLowerCase();
    for (let suffix = lower; suffix !== "." && suffix !== ""; ) {
      const known = this.#seen.get(suffix);
      if (known !== undefined) {
        this.#append(encodeName(name.slice(0, lower.length - suffix.length)).subarray(0, -1));
        this.#learn(lower, suffix);
        this.#append(Uint8Array.of(0xc0 | (known >> 8), known & 0xff));
        return;
      }
      suffix = suffix.slice(endOfLabel(suffix) + 1);
    }
    this.#append(encodeName(name));
    this.#learn(lower, "");
  }

  /** Notes where the labels just written start, from the full name down to where `until` begins. */
  #learn(lower: Name, until: string): void {
    const written = until === "" ? encodeName(lower).length : encodedPrefix(lower, until);
    let at = this.offset - written;
    for (let suffix = lower; suffix.length > until.length && suffix !== "." && suffix !== ""; ) {
      if (at <= MAX_POINTER && !this.#seen.has(suffix)) this.#seen.set(suffix, at);
      const dot = endOfLabel(suffix);
      at += encodedLength(suffix, dot) + 1;
      suffix = suffix.slice(dot + 1);
    }
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#out.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#out.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#at + bytes));
    this.#out.copy(grown, 0, 0, this.#at);
    this.#out = grown;
  }
}

/** Where the name of the question stands in every message. */
export const QUESTION_NAME_AT = HEADER_BYTES;

/** Index of the dot that ends the first label. */
function endOfLabel(name: Name): number {
  let dot = name.indexOf(".");
  while (dot > 0 && isEscaped(name, dot)) dot = name.indexOf(".", dot + 1);
  return dot < 0 ? name.length : dot;
}

function isEscaped(name: Name, at: number): boolean {
  let slashes = 0;
  while (name.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
  return slashes % 2 === 1;
}

/** Bytes of the first label, which ends at `dot`. */
function encodedLength(name: Name, dot: number): number {
  const label = name.slice(0, dot);
  return label.includes("\\") ? encodeName(`${label}.`).length - 2 : label.length;
}

function encodedPrefix(name: Name, suffix: string): number {
  const prefix = name.slice(0, name.length - suffix.length);
  return prefix === "" ? 0 : encodeName(prefix).length - 1;
}
