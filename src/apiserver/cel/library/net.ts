import {
  addressOf,
  type Cidr,
  cidrOf,
  containsCidr,
  containsIp,
  parseIpPrefix,
  prefixLength,
} from "#addr/cidr";
import { familyOf, type Ip, ipToBits, isIp, parseIp } from "#addr/ip";
import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { Opaque, type Value } from "../value.ts";

/** An address; equal when it is the same one, however it was written. */
export class IpValue extends Opaque {
  readonly typeName = "net.IP";
  readonly ip: Ip;

  constructor(ip: Ip) {
    super();
    this.ip = ip;
  }

  equals(other: Opaque): boolean {
    return other instanceof IpValue && other.ip === this.ip;
  }
}

/** An address with a prefix length; host bits are kept. */
export class CidrValue extends Opaque {
  readonly typeName = "net.CIDR";
  readonly ip: Ip;
  readonly prefix: number;

  constructor(ip: Ip, prefix: number) {
    super();
    this.ip = ip;
    this.prefix = prefix;
  }

  get network(): Cidr {
    return cidrOf(this.ip, this.prefix);
  }

  equals(other: Opaque): boolean {
    return other instanceof CidrValue && other.ip === this.ip && other.prefix === this.prefix;
  }
}

export function net(): readonly Overload[] {
  return [...addresses(), ...kinds(), ...networks()];
}

function addresses(): readonly Overload[] {
  return [
    define("ip(string): net.IP", (text: string) => new IpValue(ipOf(text))),
    define("isIP(string): bool", (text: string) => isPlainIp(text)),
    define("ip.isCanonical(string): bool", (text: string) => ipOf(text) === text),
    define("string(net.IP): string", ({ ip }: IpValue) => ip, "flat"),
    define("net.IP.family(): int", ({ ip }: IpValue) => BigInt(familyOf(ip)), "flat"),
  ];
}

/** IPv4 addresses in IPv6's clothes are refused, as are zones and leading zeroes. */
function isPlainIp(text: string): boolean {
  return isIp(text) && !isMapped(text);
}

function isMapped(text: string): boolean {
  return familyOf(text) === 6 && ipToBits(parseIp(text)) >> 32n === 0xffffn;
}

function ipOf(text: string): Ip {
  if (!isIp(text))
    throw runtimeFault(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  if (isMapped(text)) throw runtimeFault(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return parseIp(text);
}

function kinds(): readonly Overload[] {
  const isOf = (name: string, test: (ip: Ip) => boolean) =>
    define(`net.IP.${name}(): bool`, ({ ip }: IpValue) => test(ip), "flat");
  return [
    isOf("isUnspecified", isUnspecified),
    isOf("isLoopback", isLoopback),
    isOf("isLinkLocalMulticast", (ip) => within(ip, "224.0.0.0/24", "ff02::/16")),
    isOf("isLinkLocalUnicast", isLinkLocalUnicast),
    isOf("isGlobalUnicast", isGlobalUnicast),
  ];
}

function within(ip: Ip, v4: string, v6: string): boolean {
  const [address = "", prefix = "0"] = (familyOf(ip) === 4 ? v4 : v6).split("/");
  return containsIp(cidrOf(parseIp(address), Number(prefix)), ip);
}

function isUnspecified(ip: Ip): boolean {
  return ip === "0.0.0.0" || ip === "::";
}

function isLoopback(ip: Ip): boolean {
  return within(ip, "127.0.0.0/8", "::1/128");
}

function isLinkLocalUnicast(ip: Ip): boolean {
  return within(ip, "169.254.0.0/16", "fe80::/10");
}

function isGlobalUnicast(ip: Ip): boolean {
  const isOther = isUnspecified(ip) || isLoopback(ip) || isLinkLocalUnicast(ip);
  return ip !== "255.255.255.255" && !isOther && !within(ip, "224.0.0.0/4", "ff00::/8");
}

function networks(): readonly Overload[] {
  const ipIn = (cidr: CidrValue, ip: Ip) => containsIp(cidr.network, ip);
  const cidrIn = (outer: CidrValue, inner: CidrValue) =>
    inner.prefix >= outer.prefix && containsCidr(outer.network, inner.network);
  const masked = ({ network }: CidrValue): Value => new CidrValue(addressOf(network), prefixLength(network));
  return [
    define("cidr(string): net.CIDR", cidrValue),
    define("isCIDR(string): bool", (text: string) => readCidr(text) !== undefined),
    define("string(net.CIDR): string", ({ ip, prefix }: CidrValue) => `${ip}/${prefix}`, "flat"),
    define("net.CIDR.containsIP(string): bool", (cidr: CidrValue, text: string) => ipIn(cidr, ipOf(text))),
    define("net.CIDR.containsIP(net.IP): bool", (cidr: CidrValue, { ip }: IpValue) => ipIn(cidr, ip), "flat"),
    define("net.CIDR.containsCIDR(string): bool", (cidr: CidrValue, text: string) =>
      cidrIn(cidr, cidrValue(text)),
    ),
    define("net.CIDR.containsCIDR(net.CIDR): bool", cidrIn, "flat"),
    define("net.CIDR.ip(): net.IP", ({ ip }: CidrValue) => new IpValue(ip), "flat"),
    define("net.CIDR.masked(): net.CIDR", masked, "flat"),
    define("net.CIDR.prefixLength(): int", ({ prefix }: CidrValue) => BigInt(prefix), "flat"),
  ];
}

function cidrValue(text: string): CidrValue {
  const cidr = readCidr(text);
  if (cidr === undefined)
    throw runtimeFault(
      `network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): no '/'`,
    );
  return cidr;
}

function readCidr(text: string): CidrValue | undefined {
  if (!isPlainIp(text.split("/")[0] ?? "")) return undefined;
  try {
    const prefix = parseIpPrefix(text);
    return new CidrValue(addressOf(prefix), prefixLength(prefix));
  } catch {
    return undefined;
  }
}
