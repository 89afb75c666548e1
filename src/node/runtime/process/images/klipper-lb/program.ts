import { type Cidr, cidrFamily, prefixLength } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { familyOf, formatEndpoint, type Ip } from "#addr/ip";
import type { Forwarding } from "./environment.ts";

/** The containers of a pod share its network namespace and forward a port each: so each has a table of its own. */
export function tableName({ protocol, port }: Forwarding): string {
  return `klipper-lb-${protocol}-${port}`;
}

/** nft text that replaces the container's table by one that does what `forwarding` says, for the families that the pod forwards.
 *  Sources are looked at once the packet is translated; what it was sent to keeps it apart from other containers' packets. */
export function forwardingProgram(forwarding: Forwarding, families: readonly Family[]): string {
  const table = `inet ${tableName(forwarding)}`;
  const destinations = forwarding.destinations.filter((ip) => families.includes(familyOf(ip)));
  const { protocol, port, destinationPort, sources } = forwarding;
  const packets = `${protocol} dport ${destinationPort} ct original proto-dst ${port}`;
  const chains = [
    chain("forward", "filter hook forward priority 0", [
      ...sources.map((range) => `${fromRange(range)} ${packets} accept`),
      ...destinations.map((ip) => `${toIp(ip)} ${packets} drop`),
    ]),
    chain(
      "prerouting",
      "nat hook prerouting priority -100",
      FAMILIES.flatMap((family) => {
        const ip = destinations.findLast((each) => familyOf(each) === family);
        if (ip === undefined) return [];
        const to = `dnat ${FAMILY[family].nft} to ${formatEndpoint(ip, destinationPort)}`;
        return `meta nfproto ipv${family} ${protocol} dport ${port} ${to}`;
      }),
    ),
    chain(
      "postrouting",
      "nat hook postrouting priority 100",
      destinations.map((ip) => `${toIp(ip)} meta l4proto ${protocol} masquerade`),
    ),
  ];
  return `add table ${table}\ndelete table ${table}\ntable ${table} {\n${chains.join("")}}\n`;
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  const lines = [`type ${hook}; policy accept;`, ...rules];
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join("")}  }\n`;
}

function fromRange(range: Cidr): string {
  const family = cidrFamily(range);
  return prefixLength(range) === 0 ? `meta nfproto ipv${family}` : `${FAMILY[family].nft} saddr ${range}`;
}

function toIp(ip: Ip): string {
  return `${FAMILY[familyOf(ip)].nft} daddr ${ip}`;
}
