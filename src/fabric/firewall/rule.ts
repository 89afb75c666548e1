/** Rules of any packet filter in one shape: what a rule asks of a packet, and what it then does. Values are the bytes that the
 *  kernel compares, read as one number from the first byte on. */

/** How many bytes each field has; numbers of the host's order are little-endian bytes. */
export const FIELD_BYTES = {
  family: 1,
  protocol: 1,
  source: 0,
  destination: 0,
  sourcePort: 2,
  destinationPort: 2,
  in: 16,
  out: 16,
  inIndex: 4,
  outIndex: 4,
  /** Of the connection, as bits: invalid 1, established 2, related 4, new 8. */
  state: 4,
  /** Of the connection, as bits: destination translated 32. */
  status: 4,
  /** What kind of address the destination is (`RTN_*`): unicast 1, local 2. */
  destinationType: 4,
} as const;

export type Field = keyof typeof FIELD_BYTES;
export type Range = readonly [low: bigint, high: bigint];

export type Test =
  | {
      readonly kind: "field";
      readonly field: Field;
      /** Bits that count; undefined for all. */
      readonly mask: bigint | undefined;
      readonly ranges: readonly Range[];
      readonly inverted: boolean;
    }
  /** Something about the packet that is not looked at here. */
  | { readonly kind: "unknown"; readonly what: string };

export type Action =
  | { readonly kind: "accept" | "drop" | "return" | "none" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  /** What becomes of the packet is not known here. */
  | { readonly kind: "unknown"; readonly what: string };

export interface FilterRule {
  readonly tests: readonly Test[];
  readonly action: Action;
}

export interface FilterChain {
  /** `nftables`, or `old`: a table of the old iptables. */
  readonly engine: "nftables" | "old";
  /** Of the table: `ip`, `ip6` or `inet`. */
  readonly family: "ip" | "ip6" | "inet";
  readonly table: string;
  readonly name: string;
  /** Of a chain that packets come to by themselves. */
  readonly base: { readonly hook: "input" | "forward"; readonly policy: "accept" | "drop" } | undefined;
  readonly rules: readonly FilterRule[];
}

export function unknownTest(what: string): Test {
  return { kind: "unknown", what };
}

export function bytesToBits(bytes: Uint8Array): bigint {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  return bits;
}

/** A number of the host's order (little-endian), as its four bytes in a row. */
export function hostBits(value: number): bigint {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytesToBits(bytes);
}

/** A link's name as the kernel compares it: sixteen bytes, the rest zero. */
export function nameBits(name: string): bigint {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name).subarray(0, 15));
  return bytesToBits(bytes);
}
