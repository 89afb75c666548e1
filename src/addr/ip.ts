import { FAMILY, type Family } from "./family.ts";
import { AddrError, type Tagged } from "./tagged.ts";

export type Ipv4 = Tagged<string, "Ip" | "v4">;
export type Ipv6 = Tagged<string, "Ip" | "v6">;
/** An IP address as its canonical text (dotted quad, or RFC 5952 lower case), so `===`, map keys and JSON just work. */
export type Ip = Ipv4 | Ipv6;

const ZERO = 48;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** Reads an IPv4 or IPv6 address. Leading zeroes, zones and IPv4 shorthands are refused. @throws {AddrError} */
export function parseIp(text: string): Ip {
  const bits = text.includes(":") ? v6Bits(text) : v4Bits(text);
  if (bits === undefined)
    throw new AddrError("address", text, "expected an IPv4 or IPv6 address such as 192.0.2.7 or 2001:db8::7");
  return formatIp(text.includes(":") ? 6 : 4, bits);
}

export function isIp(text: string): text is Ip {
  return (text.includes(":") ? v6Bits(text) : v4Bits(text)) !== undefined;
}

export function familyOf(ip: string): Family {
  return ip.includes(":") ? 6 : 4;
}

/** The address as an unsigned number of 32 or 128 bits. */
export function ipToBits(ip: Ip): bigint {
  const bits = ip.includes(":") ? v6Bits(ip) : v4Bits(ip);
  if (bits === undefined) throw new Error(`broken invariant: ${ip} is tagged Ip`);
  return bits;
}

/** The canonical text of an address given as a number. */
export function formatIp(family: Family, bits: bigint): Ip {
  if (bits < 0n || bits >= 1n << BigInt(FAMILY[family].bits))
    throw new RangeError(`address ${bits} is out of range for IPv${family}`);
  return (family === 4 ? v4Text(bits) : v6Text(bits)) as Ip;
}

/** Network-order bytes: 4 or 16 of them. */
export function ipToBytes(ip: Ip): Uint8Array {
  const { bytes } = FAMILY[familyOf(ip)];
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  let bits = ipToBits(ip);
  for (let i = bytes - 4; i >= 0; i -= 4) {
    view.setUint32(i, Number(bits & 0xffff_ffffn));
    bits >>= 32n;
  }
  return out;
}

/** Reads 4 or 16 network-order bytes. @throws {AddrError} for any other length */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new AddrError("address bytes", String(bytes.length), "expected 4 or 16 bytes");
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  return formatIp(bytes.length === 4 ? 4 : 6, bits);
}

/** The address `offset` places further; used for gateways and allocation. */
export function addToIp(ip: Ip, offset: number | bigint): Ip {
  return formatIp(familyOf(ip), ipToBits(ip) + BigInt(offset));
}

export function isLoopback(ip: Ip): boolean {
  return familyOf(ip) === 4 ? ip.startsWith("127.") : ip === "::1";
}

export function isLinkLocal(ip: Ip): boolean {
  return familyOf(ip) === 4 ? ip.startsWith("169.254.") : ipToBits(ip) >> 118n === 0x3fan;
}

export function isMulticast(ip: Ip): boolean {
  return familyOf(ip) === 4 ? ipToBits(ip) >> 28n === 0xen : ip.startsWith("ff");
}

/** `1.2.3.4:80` or `[2001:db8::1]:80`. */
export function formatEndpoint(ip: Ip, port: number): string {
  return familyOf(ip) === 4 ? `${ip}:${port}` : `[${ip}]:${port}`;
}

/** Character by character: a service proxy reads some hundred thousand addresses before its first packet. */
function v4Bits(text: string): bigint | undefined {
  let bits = 0;
  let octet: number | undefined;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit >= 0 && digit <= 9) {
      if (octet === 0) return undefined;
      octet = (octet ?? 0) * 10 + digit;
      if (octet > 255) return undefined;
    } else {
      if (text[i] !== "." || octet === undefined || ++dots > 3) return undefined;
      bits = bits * 256 + octet;
      octet = undefined;
    }
  }
  return dots === 3 && octet !== undefined ? BigInt(bits * 256 + octet) : undefined;
}

function v6Bits(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = v6Groups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? v6Groups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail].reduce(
    (bits, group) => (bits << 16n) | BigInt(group),
    0n,
  );
}

/** Groups of one side of `::`; only the side that ends the text may carry a dotted quad. */
function v6Groups(text: string, ends: boolean): number[] | undefined {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (ends && i === parts.length - 1 && part.includes(".")) {
      const quad = v4Bits(part);
      if (quad === undefined) return undefined;
      out.push(Number(quad >> 16n), Number(quad & 0xffffn));
    } else if (GROUP.test(part)) out.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return out;
}

function v4Text(bits: bigint): string {
  const n = Number(bits);
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`, the first one on a tie. */
function v6Text(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}
