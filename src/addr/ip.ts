import { FAMILY, type Family } from "./family.ts";
import { AddrError, type Tagged } from "./tagged.ts";

export type Ipv4 = Tagged<string, "Ip" | "v4">;
export type Ipv6 = Tagged<string, "Ip" | "v6">;
/** An IP address as its canonical text (dotted quad, or RFC 5952 lower case), so `===`, map keys and JSON just work. */
export type Ip = Ipv4 | Ipv6;

const ZERO = 48;
const LETTER_A = 97;
const ZEROES: readonly number[] = new Array<number>(8).fill(0);

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

/** Character by character too. */
function v6Bits(text: string): bigint | undefined {
  const groups: number[] = [];
  /** How many groups stand before `::`. */
  let gap: number | undefined;
  let start = 0;
  if (text.startsWith("::")) {
    gap = 0;
    start = 2;
  }
  while (start < text.length) {
    const colon = text.indexOf(":", start);
    const end = colon < 0 ? text.length : colon;
    if (colon < 0 && text.includes(".", start)) {
      const quad = v4Bits(text.slice(start));
      if (quad === undefined) return undefined;
      groups.push(Number(quad >> 16n), Number(quad & 0xffffn));
    } else {
      const group = hexGroup(text, start, end);
      if (group === undefined) return undefined;
      groups.push(group);
    }
    start = end + 1;
    if (text[start] === ":") {
      if (gap !== undefined) return undefined;
      gap = groups.length;
      start += 1;
    } else if (start === text.length) return undefined;
  }
  const missing = 8 - groups.length;
  if (gap === undefined ? missing !== 0 : missing < 1) return undefined;
  if (gap !== undefined) groups.splice(gap, 0, ...ZEROES.slice(0, missing));
  return wordOf(groups, 0) | wordOf(groups, 2) | wordOf(groups, 4) | wordOf(groups, 6);
}

/** Two groups, at their place. */
function wordOf(groups: readonly number[], i: number): bigint {
  const word = (groups[i] ?? 0) * 0x1_0000 + (groups[i + 1] ?? 0);
  return BigInt(word) << BigInt(96 - 16 * i);
}

/** One to four digits. */
function hexGroup(text: string, start: number, end: number): number | undefined {
  if (end === start || end - start > 4) return undefined;
  let group = 0;
  for (let i = start; i < end; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit === undefined) return undefined;
    group = group * 16 + digit;
  }
  return group;
}

function hexDigit(code: number): number | undefined {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  const letter = (code | 0x20) - LETTER_A;
  return letter >= 0 && letter < 6 ? 10 + letter : undefined;
}

function v4Text(bits: bigint): string {
  const n = Number(bits);
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`, the first one on a tie. */
function v6Text(bits: bigint): string {
  const groups: number[] = [];
  for (let shift = 96n; shift >= 0n; shift -= 32n) {
    const word = Number((bits >> shift) & 0xffff_ffffn);
    groups.push(word >>> 16, word & 0xffff);
  }
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return hexText(groups, 0, 8);
  return `${hexText(groups, 0, best.start)}::${hexText(groups, best.start + best.length, 8)}`;
}

function hexText(groups: readonly number[], start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += (i === start ? "" : ":") + (groups[i] ?? 0).toString(16);
  return text;
}
