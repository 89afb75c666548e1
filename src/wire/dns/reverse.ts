import { FAMILIES, FAMILY } from "#addr/family";
import { familyOf, formatIp, type Ip, ipToBytes } from "#addr/ip";
import type { Name } from "./name.ts";

/** How a family writes addresses as names: bits per label, the base of its digits, and the zone they live under. */
const REVERSE = {
  4: { bits: 8, base: 10, zone: "in-addr.arpa." },
  6: { bits: 4, base: 16, zone: "ip6.arpa." },
} as const;

/** `9.0.43.10.in-addr.arpa.` for 10.43.0.9. @see RFC 1035 section 3.5, RFC 3596 section 2.5 */
export function reverseName(ip: Ip): Name {
  const { bits, base, zone } = REVERSE[familyOf(ip)];
  const labels: string[] = [];
  for (const byte of ipToBytes(ip)) {
    for (let shift = 8 - bits; shift >= 0; shift -= bits)
      labels.push(((byte >> shift) & ((1 << bits) - 1)).toString(base));
  }
  return `${labels.reverse().join(".")}.${zone}`;
}

/** The address that a complete reverse name stands for; undefined for any other name. Lower case expected. */
export function reverseIp(name: Name): Ip | undefined {
  for (const family of FAMILIES) {
    const { bits, base, zone } = REVERSE[family];
    if (!name.endsWith(zone)) continue;
    const labels = name.slice(0, -zone.length - 1).split(".");
    if (labels.length !== FAMILY[family].bits / bits) return undefined;
    let value = 0n;
    for (const label of labels.reverse()) {
      const digit = /^[0-9a-f]{1,3}$/.test(label) ? Number.parseInt(label, base) : Number.NaN;
      if (!(digit < 1 << bits) || digit.toString(base) !== label) return undefined;
      value = (value << BigInt(bits)) | BigInt(digit);
    }
    return formatIp(family, value);
  }
  return undefined;
}
