/** Netlink attributes: u16 length, u16 type, value, padding to four bytes. @see linux/netlink.h, struct nlattr */
import { WireError } from "./wire-error.ts";

export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER_BYTES = 4;

/** Attributes by type; the last one of a type wins, as in the kernel's own parser. */
export type NlAttributes = ReadonlyMap<number, Uint8Array>;

const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** One attribute with its padding. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const out = allocate(type, value.length);
  out.set(value, HEADER_BYTES);
  return out;
}

export function u8(type: number, value: number): Uint8Array {
  const out = allocate(type, 1);
  out[HEADER_BYTES] = value;
  return out;
}

export function u16(type: number, value: number): Uint8Array {
  const out = allocate(type, 2);
  new DataView(out.buffer).setUint16(HEADER_BYTES, value, true);
  return out;
}

/** Big-endian, as ports are. */
export function u16be(type: number, value: number): Uint8Array {
  const out = allocate(type, 2);
  new DataView(out.buffer).setUint16(HEADER_BYTES, value);
  return out;
}

export function u32(type: number, value: number): Uint8Array {
  const out = allocate(type, 4);
  new DataView(out.buffer).setUint32(HEADER_BYTES, value, true);
  return out;
}

/** Big-endian, as most of netfilter's numbers are. */
export function u32be(type: number, value: number): Uint8Array {
  const out = allocate(type, 4);
  new DataView(out.buffer).setUint32(HEADER_BYTES, value);
  return out;
}

/** An attribute whose presence is its value. */
export function flag(type: number): Uint8Array {
  return allocate(type, 0);
}

/** Text with its closing NUL. */
export function string(type: number, value: string): Uint8Array {
  return attribute(type, text.encoder.encode(`${value}\0`));
}

/** Attributes inside an attribute; absent ones are left out. */
export function nest(type: number, ...children: readonly (Uint8Array | undefined)[]): Uint8Array {
  const present = attributeBytes(children);
  let length = 0;
  for (const child of present) length += child.length;
  const out = allocate(type | NLA_F_NESTED, length);
  let at = HEADER_BYTES;
  for (const child of present) {
    out.set(child, at);
    at += child.length;
  }
  return out;
}

export function attributeBytes(attributes: readonly (Uint8Array | undefined)[]): Uint8Array[] {
  return attributes.filter((bytes) => bytes !== undefined);
}

/** Reads attributes in order, type and value, with flag bits taken off the type. @throws {WireError} */
export function listAttributes(bytes: Uint8Array): [type: number, value: Uint8Array][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: [number, Uint8Array][] = [];
  // Fewer than four bytes at the end are padding, which the kernel's parser tolerates too.
  for (let at = 0; bytes.length - at >= HEADER_BYTES; ) {
    const length = view.getUint16(at, true);
    if (length < HEADER_BYTES || length > bytes.length - at)
      throw new WireError("netlink attribute", `length ${length} of ${bytes.length - at} bytes`);
    out.push([view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + HEADER_BYTES, at + length)]);
    at += (length + 3) & ~3;
  }
  return out;
}

export function decodeAttributes(bytes: Uint8Array): NlAttributes {
  return new Map(listAttributes(bytes));
}

/** The attributes inside attribute `type`; none when it is absent. */
export function nested(attributes: NlAttributes, type: number): NlAttributes {
  const bytes = attributes.get(type);
  return bytes ? decodeAttributes(bytes) : new Map();
}

export function readU8(attributes: NlAttributes, type: number): number | undefined {
  return sized(attributes, type, 1)?.getUint8(0);
}

export function readU16(attributes: NlAttributes, type: number): number | undefined {
  return sized(attributes, type, 2)?.getUint16(0, true);
}

export function readU16be(attributes: NlAttributes, type: number): number | undefined {
  return sized(attributes, type, 2)?.getUint16(0);
}

export function readU32(attributes: NlAttributes, type: number): number | undefined {
  return sized(attributes, type, 4)?.getUint32(0, true);
}

export function readU32be(attributes: NlAttributes, type: number): number | undefined {
  return sized(attributes, type, 4)?.getUint32(0);
}

/** Counters beyond 2^53 lose their last bits. */
export function readU64(attributes: NlAttributes, type: number): number | undefined {
  const value = sized(attributes, type, 8)?.getBigUint64(0, true);
  return value === undefined ? undefined : Number(value);
}

export function readU64be(attributes: NlAttributes, type: number): number | undefined {
  const value = sized(attributes, type, 8)?.getBigUint64(0);
  return value === undefined ? undefined : Number(value);
}

export function readString(attributes: NlAttributes, type: number): string | undefined {
  const bytes = attributes.get(type);
  return bytes && textOf(bytes);
}

/** Text up to its NUL, or to the end where there is none. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text.decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function sized(attributes: NlAttributes, type: number, length: number): DataView | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined) return undefined;
  if (bytes.length < length)
    throw new WireError("netlink attribute", `type ${type} has ${bytes.length} bytes, expected ${length}`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function allocate(type: number, length: number): Uint8Array {
  if (length > 0xffff - HEADER_BYTES) throw new RangeError(`an attribute of ${length} bytes is too long`);
  const out = new Uint8Array((HEADER_BYTES + length + 3) & ~3);
  const view = new DataView(out.buffer);
  view.setUint16(0, HEADER_BYTES + length, true);
  view.setUint16(2, type, true);
  return out;
}
