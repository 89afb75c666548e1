/** Everything that differs between IPv4 and IPv6, as a row: logic is written once and mapped over families. */
export const FAMILY = {
  4: {
    af: 2,
    nft: "ip",
    addr: "ipv4_addr",
    bits: 32,
    bytes: 4,
    protocol: 0x0800,
    loopback: "127.0.0.1",
    any: "0.0.0.0",
    hasBroadcast: true,
  },
  6: {
    af: 10,
    nft: "ip6",
    addr: "ipv6_addr",
    bits: 128,
    bytes: 16,
    protocol: 0x86dd,
    loopback: "::1",
    any: "::",
    hasBroadcast: false,
  },
} as const;

export type Family = keyof typeof FAMILY;
export type FamilyRow = (typeof FAMILY)[Family];
export type PerFamily<T> = { readonly 4?: T; readonly 6?: T };
export const FAMILIES: readonly Family[] = [4, 6];
