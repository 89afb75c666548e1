/** Elements between nft's words and the kernel's bytes: addresses and ports in network order, marks and indexes in the
 *  host's, every field padded to four bytes. */
import { addressOf, cidrOf, parseCidr, prefixLength } from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { formatIp, ipFromBytes, ipToBits, ipToBytes, isIp } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { NftData, NftElement } from "#kernel/kernel";
import { type Element, PROTOCOLS, type Protocol } from "./model.ts";
import { type Field, SETS, type SetName, type SetShape } from "./sets.ts";

const JOIN = " . ";

/** The element as the kernel takes it. Deleting needs only the key. */
export function encodeElement({ family, set, key, data }: Element): NftElement {
  const shape: SetShape = SETS[set];
  const words = key.split(JOIN);
  const ends = shape.key.includes("range");
  return {
    key: encodeFields(shape.key, words, family, "first"),
    ...(ends ? { keyEnd: encodeFields(shape.key, words, family, "last") } : {}),
    ...(data === "" ? {} : { data: encodeData(shape, data, family) }),
  };
}

/** @throws {Fault} "Malformed" when the kernel holds something this program never writes */
export function decodeElement(family: Family, set: SetName, element: NftElement): Element {
  const shape: SetShape = SETS[set];
  const key = decodeFields(shape.key, element.key, family, element.keyEnd);
  return { family, set, key, data: element.data ? decodeData(shape, element.data, family) : "" };
}

function encodeData(shape: SetShape, data: string, family: Family): NftData {
  if (shape.data !== "verdict")
    return { kind: "value", bytes: encodeFields(shape.data ?? [], data.split(JOIN), family, "first") };
  if (data.startsWith("goto ")) return { kind: "verdict", verdict: "goto", chain: data.slice(5) };
  return { kind: "verdict", verdict: "drop" };
}

function decodeData(shape: SetShape, data: NftData, family: Family): string {
  if (data.kind === "verdict") return "chain" in data ? `${data.verdict} ${data.chain}` : data.verdict;
  return decodeFields(shape.data === "verdict" ? [] : (shape.data ?? []), data.bytes, family);
}

function widthOf(field: Field, family: Family): number {
  return field === "address" || field === "range" ? FAMILY[family].bytes : 4;
}

/** From Node's buffer pool: at ten thousand services an allocation of its own for each key would be half the time. */
function encodeFields(
  fields: readonly Field[],
  words: readonly string[],
  family: Family,
  side: "first" | "last",
): Uint8Array {
  const out = Buffer.allocUnsafe(lengthOf(fields, family)).fill(0);
  let at = 0;
  for (let i = 0; i < fields.length; i++) {
    const [field, word] = [fields[i], words[i]];
    if (field === undefined || word === undefined)
      throw new Error(`broken invariant: element ${words.join(JOIN)} lacks a field`);
    if (field === "address") out.set(addressBytes(word), at);
    else if (field === "range") out.set(rangeEdge(word, family, side), at);
    else if (field === "direction") out[at] = 0;
    else if (field === "protocol") out[at] = PROTOCOLS[word as Protocol];
    else if (field === "port") out.writeUInt16BE(Number(word), at);
    else out.writeUInt32LE(Number(word), at);
    at += widthOf(field, family);
  }
  return out;
}

function lengthOf(fields: readonly Field[], family: Family): number {
  let length = 0;
  for (const field of fields) length += widthOf(field, family);
  return length;
}

/** One service's elements repeat its addresses, so the latest are kept. */
const latest = new Map<string, Uint8Array>();
const LATEST = 1024;

function addressBytes(word: string): Uint8Array {
  const known = latest.get(word);
  if (known) return known;
  if (!isIp(word)) throw new Error(`broken invariant: an element names ${word} as its address`);
  if (latest.size >= LATEST) latest.clear();
  const bytes = ipToBytes(word);
  latest.set(word, bytes);
  return bytes;
}

function decodeFields(fields: readonly Field[], bytes: Uint8Array, family: Family, end?: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: string[] = [];
  let at = 0;
  for (const field of fields) {
    const width = widthOf(field, family);
    if (at + width > bytes.length) throw malformed(bytes);
    const part = bytes.subarray(at, at + width);
    if (field === "address") words.push(ipFromBytes(part));
    else if (field === "range") words.push(rangeText(part, end?.subarray(at, at + width) ?? part));
    else if (field === "direction") words.push("original");
    else if (field === "protocol") words.push(protocolName(part[0], bytes));
    else if (field === "port") words.push(String(view.getUint16(at)));
    else if (field === "mark") words.push(markText(view.getUint32(at, true)));
    else words.push(String(view.getUint32(at, true)));
    at += width;
  }
  return words.join(JOIN);
}

/** Marks are written as nft prints them. */
export function markText(mark: number): string {
  return `0x${mark.toString(16).padStart(8, "0")}`;
}

function protocolName(number: number | undefined, bytes: Uint8Array): string {
  for (const [name, value] of Object.entries(PROTOCOLS)) if (value === number) return name;
  throw malformed(bytes);
}

function rangeEdge(word: string, family: Family, side: "first" | "last"): Uint8Array {
  const cidr = parseCidr(word);
  const first = ipToBits(addressOf(cidr));
  const host = (1n << BigInt(FAMILY[family].bits - prefixLength(cidr))) - 1n;
  return ipToBytes(formatIp(family, side === "first" ? first : first | host));
}

function rangeText(first: Uint8Array, last: Uint8Array): string {
  const ip = ipFromBytes(first);
  const span = ipToBits(ip) ^ ipToBits(ipFromBytes(last));
  return cidrOf(ip, first.length * 8 - (span === 0n ? 0 : span.toString(2).length));
}

function malformed(bytes: Uint8Array): Fault<"Malformed"> {
  const hex = Buffer.from(bytes).toString("hex");
  return new Fault("Malformed", `Cannot read element 0x${hex}: this program writes no such element`);
}
