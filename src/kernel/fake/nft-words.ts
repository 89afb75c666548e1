/** Elements as nft writes them, turned into the bytes the kernel keeps. */
import { addressOf, parseCidr, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, formatIp, ipToBits, ipToBytes, parseIp } from "#addr/ip";
import type { NftData, NftElement } from "../kernel.ts";
import { splitOutside } from "./nft-statements.ts";

type Field = "address" | "family" | "direction" | "protocol" | "port" | "number" | "verdict" | "unknown";

/** What a set's keys and data are made of. */
export interface FakeSetType {
  readonly key: readonly Field[];
  readonly data: readonly Field[];
}

const FIELDS: readonly (readonly [RegExp, Field])[] = [
  [/^ipv[46]_addr$|^ip6? [sd]addr$/, "address"],
  [/^nf_proto$/, "family"],
  [/^ct_dir$/, "direction"],
  [/^inet_proto$|^meta l4proto$/, "protocol"],
  [/^inet_service$|^(?:th|tcp|udp) [sd]port$|^ct original proto-dst$/, "port"],
  [/^mark$|^(?:meta|ct) mark$|^numgen /, "number"],
  [/^verdict$/, "verdict"],
];
const FAMILIES: Readonly<Record<string, number>> = { ipv4: 2, ipv6: 10 };
const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, "ipv6-icmp": 58 };

/** Reads a declaration such as `type ipv4_addr . inet_service : verdict; flags interval;`. */
export function parseSetType(declaration: string): FakeSetType {
  const [, key = "", data = ""] = /\btype(?:of)?\s+([^:;]+)(?::\s*([^;]+))?/.exec(declaration) ?? [];
  return { key: fieldsOf(key), data: fieldsOf(data) };
}

/** Reads one element such as `10.42.0.2 . 80 : goto refuse`. */
export function parseElement(type: FakeSetType, text: string): NftElement {
  const [key = "", data] = text.split(/\s+:\s+/);
  const words = key.trim().split(/\s+\.\s+/);
  const isRange = words.some((word, i) => type.key[i] === "address" && word.includes("/"));
  return {
    key: encode(type.key, words, "first"),
    ...(isRange && { keyEnd: encode(type.key, words, "last") }),
    ...(data !== undefined && { data: parseData(type.data, data.trim()) }),
  };
}

export function splitElements(block: string): readonly string[] {
  return splitOutside(block, /,/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function parseData(fields: readonly Field[], text: string): NftData {
  if (fields[0] !== "verdict")
    return { kind: "value", bytes: encode(fields, text.split(/\s+\.\s+/), "first") };
  const [verdict, chain] = text.split(/\s+/);
  if ((verdict === "goto" || verdict === "jump") && chain) return { kind: "verdict", verdict, chain };
  if (verdict === "drop" || verdict === "accept" || verdict === "return") return { kind: "verdict", verdict };
  throw new Error(`the fake nft does not know the verdict ${JSON.stringify(text)}`);
}

function fieldsOf(text: string): readonly Field[] {
  return text
    .split(/\s+\.\s+/)
    .map((word) => word.trim())
    .filter((word) => word !== "")
    .map((word) => FIELDS.find(([pattern]) => pattern.test(word))?.[1] ?? "unknown");
}

/** Fields of a concatenation are padded to four bytes each; a field that stands alone is as long as it is. */
function encode(fields: readonly Field[], words: readonly string[], edge: "first" | "last"): Uint8Array {
  const parts = fields.map((field, i) => encodeField(field, words[i] ?? "", edge));
  if (parts.length === 1) return parts[0] ?? new Uint8Array(0);
  return Uint8Array.from(
    parts.flatMap((part) => [...part, ...new Array((4 - (part.length % 4)) % 4).fill(0)]),
  );
}

function encodeField(field: Field, word: string, edge: "first" | "last"): Uint8Array {
  switch (field) {
    case "address":
      return word.includes("/") ? edgeOf(word, edge) : ipToBytes(parseIp(word));
    case "family":
      return Uint8Array.of(FAMILIES[word] ?? Number(word));
    case "direction":
      return Uint8Array.of(word === "reply" ? 1 : 0);
    case "protocol":
      return Uint8Array.of(PROTOCOLS[word] ?? Number(word));
    case "port":
      return Uint8Array.of(Number(word) >> 8, Number(word) & 0xff);
    case "number":
      return Uint8Array.from([0, 8, 16, 24], (shift) => (Number(word) >>> shift) & 0xff);
    case "verdict":
    case "unknown":
      throw new Error(`the fake nft cannot write ${JSON.stringify(word)} as bytes`);
    default:
      return field satisfies never;
  }
}

function edgeOf(network: string, edge: "first" | "last"): Uint8Array {
  const cidr = parseCidr(network);
  const first = ipToBits(addressOf(cidr));
  const family = familyOf(network);
  const hosts = (1n << BigInt(FAMILY[family].bits - prefixLength(cidr))) - 1n;
  return ipToBytes(formatIp(family, edge === "first" ? first : first | hosts));
}
