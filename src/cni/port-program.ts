import { createHash } from "node:crypto";
import type { Cidr } from "#addr/cidr";
import { cidrFamily } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { type Ip, ipToBytes } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { NftElement, NftSetRef } from "#kernel/kernel";

const TABLE = CLAIMS.tables.hostPorts;
const MARK = `0x${CLAIMS.marks.hostPort.toString(16)}`;

/** Where a host port leads: for all of the node's addresses (`ports`), for one of them (`addresses`), and which pods have
 *  any (`targets`). */
export type PortSet = "ports" | "addresses" | "targets";

export function portSet(set: PortSet, family: Family): NftSetRef {
  return { family: "inet", table: TABLE, set: `${set}${family}` };
}

/** Protocols that a host port may be of, by their number in IP. */
export const PORT_PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
export type PortProtocol = keyof typeof PORT_PROTOCOLS;

export interface PortEntry {
  readonly protocol: PortProtocol;
  readonly hostIp: Ip | undefined;
  readonly hostPort: number;
  readonly ip: Ip;
  readonly containerPort: number;
}

/** One map element; the key's and the value's fields are padded to four bytes each. */
export function portElement({ protocol, hostIp, hostPort, ip, containerPort }: PortEntry): NftElement {
  return {
    key: Uint8Array.of(
      ...(hostIp === undefined ? [] : ipToBytes(hostIp)),
      ...[PORT_PROTOCOLS[protocol], 0, 0, 0],
      ...portField(hostPort),
    ),
    data: { kind: "value", bytes: Uint8Array.of(...ipToBytes(ip), ...portField(containerPort)) },
  };
}

export function targetElement(ip: Ip): NftElement {
  return { key: ipToBytes(ip) };
}

export interface PortProgram {
  /** A chain's, so that a look at the kernel tells which program is loaded. */
  readonly name: string;
  /** Replaces the whole table. */
  readonly text: string;
  /** How many there are. */
  readonly rules: number;
}

/** The fixed program under a name that changes with it; host ports come and go as elements. A port of one address is looked
 *  up before a port of all of them, whichever was published first. */
export function portProgram(bridge: string, podCidrs: readonly Cidr[]): PortProgram {
  const rules = programRules(bridge, podCidrs);
  const name = `program-${createHash("sha256").update(rules.join("\n")).digest("hex").slice(0, 12)}`;
  const text = [
    `add table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    `add table inet ${TABLE}`,
    `add chain inet ${TABLE} ${name}`,
    ...rules,
    "",
  ].join("\n");
  return { name, text, rules: rules.filter((line) => line.startsWith("add rule ")).length };
}

function programRules(bridge: string, podCidrs: readonly Cidr[]): readonly string[] {
  const chain = (name: string, hook: string) => `add chain inet ${TABLE} ${name} { ${hook} policy accept; }`;
  const rule = (chainName: string, text: string) => `add rule inet ${TABLE} ${chainName} ${text}`;
  const published = "fib daddr type local jump published";
  return [
    ...FAMILIES.flatMap(sets),
    `add chain inet ${TABLE} published`,
    ...podCidrs.map((cidr) =>
      rule("published", `${FAMILY[cidrFamily(cidr)].nft} saddr ${cidr} meta mark set meta mark | ${MARK}`),
    ),
    ...FAMILIES.flatMap((family) => lookups(family).map((text) => rule("published", text))),
    // After kube-proxy's chains at -100, which so have the first word about an address that both know: a load balancer's is that of
    // nodes where ServiceLB's pods have the same port. Of chains at one priority the one that was loaded last would go first.
    chain("prerouting", "type nat hook prerouting priority -99;"),
    // The bridge lets 127.0.0.1 out to pods (route_localnet); nobody may come in by that door. Asked once a connection: a packet
    // that connection tracking makes nothing of, and that therefore is not asked, no socket makes anything of either.
    rule("prerouting", `iifname "${bridge}" ip daddr 127.0.0.0/8 drop`),
    rule("prerouting", published),
    chain("output", "type nat hook output priority -99;"),
    rule("output", published),
    chain("postrouting", "type nat hook postrouting priority 100;"),
    ...FAMILIES.map((family) =>
      rule(
        "postrouting",
        `meta mark & ${MARK} == ${MARK} ct status dnat ${FAMILY[family].nft} daddr @targets${family} masquerade`,
      ),
    ),
    rule("postrouting", `ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade`),
  ];
}

function sets(family: Family): readonly string[] {
  const ip = FAMILY[family].addr;
  const key = "inet_proto . inet_service";
  return [
    `add map inet ${TABLE} ports${family} { type ${key} : ${ip} . inet_service; }`,
    `add map inet ${TABLE} addresses${family} { type ${ip} . ${key} : ${ip} . inet_service; }`,
    `add set inet ${TABLE} targets${family} { type ${ip}; }`,
  ];
}

function lookups(family: Family): readonly string[] {
  const { nft } = FAMILY[family];
  const dnat = `meta nfproto ipv${family} dnat ${nft} to`;
  return [
    `${dnat} ${nft} daddr . meta l4proto . th dport map @addresses${family}`,
    `${dnat} meta l4proto . th dport map @ports${family}`,
  ];
}

/** A port is two bytes in network order, in a field of four. */
function portField(port: number): readonly number[] {
  return [port >> 8, port & 0xff, 0, 0];
}
