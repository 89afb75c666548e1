import { FAMILY, type Family } from "./family.ts";
import { addToIp, familyOf, formatIp, type Ip, ipToBits, parseIp } from "./ip.ts";
import { AddrError, type Tagged } from "./tagged.ts";

/** A network as masked canonical text, such as `10.42.0.0/16`. */
export type Cidr = Tagged<string, "Cidr">;
/** An address with its prefix length, host bits kept, such as `10.42.3.1/24`: what an interface carries. */
export type IpPrefix = Tagged<string, "IpPrefix">;

/** Reads a network; host bits must be zero unless `mask` says they may be cleared. @throws {AddrError} */
export function parseCidr(
  text: string,
  options: { hostBits: "refuse" | "clear" } = { hostBits: "refuse" },
): Cidr {
  const { ip, prefix } = split(text);
  const masked = maskIp(ip, prefix);
  if (masked !== ip && options.hostBits === "refuse") {
    throw new AddrError("network", text, `host bits are set; the network is ${masked}/${prefix}`);
  }
  return `${masked}/${prefix}` as Cidr;
}

/** Reads an interface address such as `10.42.3.1/24`. @throws {AddrError} */
export function parseIpPrefix(text: string): IpPrefix {
  const { ip, prefix } = split(text);
  return `${ip}/${prefix}` as IpPrefix;
}

export function cidrOf(ip: Ip, prefix: number): Cidr {
  return `${maskIp(ip, prefix)}/${prefix}` as Cidr;
}

export function ipPrefixOf(ip: Ip, prefix: number): IpPrefix {
  return `${ip}/${prefix}` as IpPrefix;
}

/** The single-address network of `ip`: a /32 or /128. */
export function hostCidr(ip: Ip): Cidr {
  return cidrOf(ip, FAMILY[familyOf(ip)].bits);
}

export function prefixLength(cidr: Cidr | IpPrefix): number {
  return Number(cidr.slice(cidr.indexOf("/") + 1));
}

/** The address part: the network address of a Cidr, the host address of an IpPrefix. */
export function addressOf(cidr: Cidr | IpPrefix): Ip {
  return cidr.slice(0, cidr.indexOf("/")) as Ip;
}

export function cidrFamily(cidr: Cidr | IpPrefix): Family {
  return familyOf(cidr);
}

export function containsIp(cidr: Cidr, ip: Ip): boolean {
  const family = cidrFamily(cidr);
  if (family !== familyOf(ip)) return false;
  const shift = BigInt(FAMILY[family].bits - prefixLength(cidr));
  return ipToBits(ip) >> shift === ipToBits(addressOf(cidr)) >> shift;
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  const [more, less] = [prefixLength(inner), prefixLength(outer)];
  return more === less ? outer === inner : more > less && containsIp(outer, addressOf(inner));
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return containsCidr(a, b) || containsCidr(b, a);
}

/** How many addresses the network holds. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(FAMILY[cidrFamily(cidr)].bits - prefixLength(cidr));
}

/** The `n`-th address of the network, counted from its own address. @throws {RangeError} past its end */
export function nthIp(cidr: Cidr, n: number | bigint): Ip {
  if (BigInt(n) < 0n || BigInt(n) >= cidrSize(cidr))
    throw new RangeError(`${cidr} has no address number ${n}`);
  return addToIp(addressOf(cidr), n);
}

/** The `n`-th subnet of `prefix` bits inside the network. @throws {RangeError} past its end */
export function nthSubnet(cidr: Cidr, prefix: number, n: number): Cidr {
  const size = 1n << BigInt(FAMILY[cidrFamily(cidr)].bits - prefix);
  return cidrOf(nthIp(cidr, size * BigInt(n)), prefix);
}

function split(text: string): { ip: Ip; prefix: number } {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const expected = "expected a network such as 10.42.0.0/16 or 2001:db8:42::/56";
  if (!match?.[1] || !match[2]) throw new AddrError("network", text, expected);
  const ip = parseIpOf(match[1], text, expected);
  const prefix = Number(match[2]);
  const { bits } = FAMILY[familyOf(ip)];
  if (prefix > bits)
    throw new AddrError("network", text, `a prefix of IPv${familyOf(ip)} is at most ${bits}`);
  return { ip, prefix };
}

function parseIpOf(address: string, text: string, expected: string): Ip {
  try {
    return parseIp(address);
  } catch {
    throw new AddrError("network", text, expected);
  }
}

function maskIp(ip: Ip, prefix: number): Ip {
  const family = familyOf(ip);
  const shift = BigInt(FAMILY[family].bits - prefix);
  return formatIp(family, (ipToBits(ip) >> shift) << shift);
}
