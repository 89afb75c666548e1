import { Fault } from "#fault/fault";

/** One value of ASN.1 in its DER form: its tag byte, its content, and both with the header. */
export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

const MOST_LENGTH_BYTES = 3;

/** The values that stand one after the other in `bytes`. @throws {Fault} BadDer for what is cut off or has lengths that DER does not allow */
export function readDer(bytes: Buffer): readonly Der[] {
  const out: Der[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = readOne(bytes, at);
    out.push(value);
    at += value.whole.length;
  }
  return out;
}

function readOne(bytes: Buffer, at: number): Der {
  const tag = byteAt(bytes, at);
  if ((tag & 0x1f) === 0x1f) throw bad("a tag of several bytes");
  const first = byteAt(bytes, at + 1);
  const { length, start } =
    first < 0x80 ? { length: first, start: at + 2 } : longLength(bytes, at, first & 0x7f);
  const end = start + length;
  if (end > bytes.length) throw bad("truncated");
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
}

function longLength(bytes: Buffer, at: number, count: number): { length: number; start: number } {
  if (count === 0 || count > MOST_LENGTH_BYTES) throw bad("a length that DER does not allow");
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + byteAt(bytes, at + 2 + i);
  return { length, start: at + 2 + count };
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw bad("truncated");
  return byte;
}

/** The parts of a value that is made of others. @throws {Fault} BadDer when it has another tag */
export function partsOf(value: Der | undefined, tag: number): readonly Der[] {
  return readDer(contentOf(value, tag));
}

/** @throws {Fault} BadDer when it is not there or has another tag */
export function contentOf(value: Der | undefined, tag: number): Buffer {
  if (value === undefined) throw bad("truncated");
  if (value.tag !== tag) throw bad(`tag ${value.tag} where ${tag} should be`);
  return value.content;
}

/** `1.2.840.113549.1.1.11` */
export function readOid(value: Der | undefined): string {
  const bytes = contentOf(value, TAG.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of bytes) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw bad("an object identifier beyond measure");
    if ((byte & 0x80) !== 0) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

/** The bytes of a bit string without unused bits. */
export function readBits(value: Der | undefined): Buffer {
  const content = contentOf(value, TAG.bitString);
  if (content[0] !== 0) throw bad("a bit string with unused bits");
  return content.subarray(1);
}

const UTF8 = new Set([0x0c, 0x12, 0x13, 0x16, 0x1a]);

/** Text in any of the string types that names use. */
export function readText(value: Der | undefined): string {
  if (value === undefined) throw bad("truncated");
  if (UTF8.has(value.tag)) return value.content.toString("utf8");
  if (value.tag === 0x14) return value.content.toString("latin1");
  if (value.tag === 0x1e) return Buffer.from(value.content).swap16().toString("utf16le");
  throw bad(`tag ${value.tag} where text should be`);
}

export function bad(why: string): Fault<"BadDer"> {
  return new Fault("BadDer", `asn1: structure error: ${why}`);
}
