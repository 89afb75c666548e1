import { addressOf, type Cidr, cidrFamily, cidrSize, hostCidr } from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { type Ip, ipToBits } from "#addr/ip";
import { type Field, hostBits, nameBits, type Test } from "./rule.ts";

/** What is known of a field: all its values between two, none of some, or (undefined) nothing. */
export type Domain =
  | { readonly kind: "range"; readonly low: bigint; readonly high: bigint }
  | { readonly kind: "not"; readonly values: readonly bigint[] };

/** Packets that are alike: the first of a connection, from one network to another. */
export type Packet = Readonly<Partial<Record<Field, Domain>>>;

export interface PacketSpec {
  readonly family: Family;
  readonly hook: "input" | "forward";
  readonly source: Cidr | Ip;
  readonly destination: Cidr | Ip;
  readonly protocol: "tcp" | "udp";
  /** Undefined for any. */
  readonly port?: number;
  /** Undefined when it is not known which; never `lo`. */
  readonly in?: string | undefined;
  readonly out?: string | undefined;
  /** Its destination was translated, as for a port of a Service. */
  readonly isTranslated?: boolean;
}

const NFPROTO = { 4: 2, 6: 10 } as const;
const PROTOCOL = { tcp: 6, udp: 17 } as const;
const STATE_NEW = 8;
const STATUS_TRANSLATED = 0x20;
const TYPE = { forward: 1, input: 2 } as const;
const LOOPBACK_INDEX = 1;

export function packetOf(spec: PacketSpec): Packet {
  return {
    family: exactly(BigInt(NFPROTO[spec.family])),
    protocol: exactly(BigInt(PROTOCOL[spec.protocol])),
    source: within(spec.source),
    destination: within(spec.destination),
    ...(spec.port === undefined ? {} : { destinationPort: exactly(BigInt(spec.port)) }),
    in: linkNamed(spec.in),
    out: linkNamed(spec.out),
    inIndex: notLoopback,
    outIndex: notLoopback,
    state: exactly(hostBits(STATE_NEW)),
    status: exactly(hostBits(spec.isTranslated ? STATUS_TRANSLATED : 0)),
    destinationType: exactly(hostBits(TYPE[spec.hook])),
  };
}

const notLoopback: Domain = { kind: "not", values: [hostBits(LOOPBACK_INDEX)] };

function linkNamed(name: string | undefined): Domain {
  return name === undefined ? { kind: "not", values: [nameBits("lo")] } : exactly(nameBits(name));
}

function exactly(value: bigint): Domain {
  return { kind: "range", low: value, high: value };
}

function within(network: Cidr | Ip): Domain {
  const cidr = network.includes("/") ? (network as Cidr) : hostCidr(network as Ip);
  const low = ipToBits(addressOf(cidr));
  return { kind: "range", low, high: low + cidrSize(cidr) - 1n };
}

/** Whether all such packets pass a test, none, or perhaps some. */
export function passes(test: Test, packet: Packet): "yes" | "no" | "maybe" {
  if (test.kind === "unknown") return "maybe";
  const domain = packet[test.field];
  const answer = domain === undefined ? "maybe" : among(test.ranges, domain, test.mask);
  if (!test.inverted || answer === "maybe") return answer;
  return answer === "yes" ? "no" : "yes";
}

function among(
  ranges: readonly (readonly [bigint, bigint])[],
  domain: Domain,
  mask: bigint | undefined,
): "yes" | "no" | "maybe" {
  if (domain.kind === "not") {
    const isExcluded = (value: bigint) => domain.values.includes(value);
    return mask === undefined && ranges.every(([low, high]) => low === high && isExcluded(low))
      ? "no"
      : "maybe";
  }
  const masked = mask === undefined ? domain : maskedDomain(domain, mask);
  if (masked === undefined) return "maybe";
  const { low, high } = masked;
  if (ranges.some((range) => range[0] <= low && high <= range[1])) return "yes";
  return ranges.every((range) => high < range[0] || range[1] < low) ? "no" : "maybe";
}

/** Clearing low bits keeps the order of values; other masks are followed for single values only. */
function maskedDomain(domain: { low: bigint; high: bigint }, mask: bigint) {
  const clearsLowBits = isPrefix(mask);
  if (domain.low !== domain.high && !clearsLowBits) return undefined;
  return { low: domain.low & mask, high: domain.high & mask };
}

/** Whether the mask is ones followed by zeroes, in 32 or 128 bits. */
function isPrefix(mask: bigint): boolean {
  const bits = BigInt(mask >> 32n === 0n ? FAMILY[4].bits : FAMILY[6].bits);
  const rest = ((1n << bits) - 1n) ^ mask;
  return (rest & (rest + 1n)) === 0n;
}

/** The network of a family among several, if any. */
export function networkOf(cidrs: readonly Cidr[], family: Family): Cidr | undefined {
  return cidrs.find((cidr) => cidrFamily(cidr) === family);
}
