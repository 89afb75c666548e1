/** What K3s and Kubernetes ask of the networks of pods and services, and of the nodes' addresses beside them. */
import { type Cidr, cidrFamily, containsIp, nthIp, overlaps, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip, isLinkLocal, isLoopback, isMulticast } from "#addr/ip";
import type { ValueReader } from "./value-reader.ts";

/** As many addresses as a service network may have: Kubernetes keeps count of each. */
const LARGEST_SERVICE = { 4: 12, 6: 112 } as const;
export const EXAMPLES = {
  cluster: { 4: "10.42.0.0/16", 6: "fd00:42::/56" },
  service: { 4: "10.43.0.0/16", 6: "fd00:43::/112" },
  node: { 4: "192.0.2.1", 6: "2001:db8::1" },
} as const;

export interface Networks {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
}

/** Notes every problem of networks that could be read, each with a flag that would end it. */
export function checkNetworks(reader: ValueReader, networks: Networks): void {
  checkFamilies(reader, networks);
  for (const cidr of networks.clusterCidrs) {
    if (prefixLength(cidr) === 0) reader.problem("cluster-cidr", `${cidr} is every address there is`);
    for (const other of networks.serviceCidrs)
      if (overlaps(cidr, other)) reader.problem("cluster-cidr", `${cidr} overlaps --service-cidr ${other}`);
  }
  for (const cidr of networks.serviceCidrs) {
    const family = cidrFamily(cidr);
    const limit = LARGEST_SERVICE[family];
    if (prefixLength(cidr) < limit)
      reader.problem(
        "service-cidr",
        `${cidr} is too large; the largest is a /${limit}, such as ${EXAMPLES.service[family]}`,
      );
    if (tenthIp(cidr).length === 0)
      reader.problem("service-cidr", `${cidr} is too small to hold the DNS address, its tenth`);
  }
}

function checkFamilies(reader: ValueReader, { clusterCidrs, serviceCidrs }: Networks): void {
  const pods = clusterCidrs.map(cidrFamily);
  const services = serviceCidrs.map(cidrFamily);
  if (pods.join() === services.join()) return;
  const example = pods.map((family) => EXAMPLES.service[family]).join(",");
  reader.problem(
    "service-cidr",
    `${serviceCidrs.join(",")} and --cluster-cidr ${clusterCidrs.join(",")}: both need the same families in the same order, such as --service-cidr=${example}`,
  );
}

/** The address of a service network that the cluster's DNS has, unless it was given one. */
export function tenthIp(cidr: Cidr): readonly Ip[] {
  try {
    return [nthIp(cidr, 10)];
  } catch {
    return [];
  }
}

/** Addresses of a node inside the networks: packets to them would go to pods, or to services. */
export function overlapWarnings(flag: string, ips: readonly Ip[], networks: Networks): readonly string[] {
  const ranges = [
    ...networks.clusterCidrs.map((cidr) => [cidr, "cluster-cidr", "pods"] as const),
    ...networks.serviceCidrs.map((cidr) => [cidr, "service-cidr", "services"] as const),
  ];
  return ranges.flatMap(([cidr, other, whose]) =>
    ips
      .filter((ip) => containsIp(cidr, ip))
      .map((ip) => `--${flag}: ${ip} is inside --${other} ${cidr}, whose addresses are ${whose}'`),
  );
}

/** What keeps other nodes from reaching a node by this address, whatever its machine is like. */
export function neverANodes(ip: Ip): string | undefined {
  const kinds = [
    ["a loopback address", isLoopback(ip)],
    ["every address", ip === "0.0.0.0" || ip === "::"],
    ["a multicast address", isMulticast(ip)],
    ["a link-local address", isLinkLocal(ip)],
  ] as const;
  const kind = kinds.find(([, isIt]) => isIt)?.[0];
  return kind && `${ip} is ${kind}; give one of this machine that the other nodes reach`;
}

/** A node's addresses with one of the cluster's primary family first, as K3s swaps them. */
export function primaryFirst(ips: readonly Ip[], clusterCidrs: readonly Cidr[]): readonly Ip[] {
  const [primary] = clusterCidrs;
  const first = ips.find((ip) => primary !== undefined && familyOf(ip) === cidrFamily(primary));
  return first === undefined ? ips : [first, ...ips.filter((ip) => ip !== first)];
}

/** What a node with these addresses lacks in this cluster: an address of each family that pods have. */
export function missingFamily(ips: readonly Ip[], clusterCidrs: readonly Cidr[]): string | undefined {
  const has = (family: Family) => ips.some((ip) => familyOf(ip) === family);
  const missing = clusterCidrs.map(cidrFamily).filter((family) => !has(family));
  if (missing.length === 0) return undefined;
  const example = FAMILIES.flatMap((family): readonly string[] => {
    const own = ips.filter((ip) => familyOf(ip) === family).slice(0, 1);
    return own.length === 0 && missing.includes(family) ? [EXAMPLES.node[family]] : own;
  });
  return `${ips.join(",")} has no IPv${missing.join(" and no IPv")} address, and pods have one (--cluster-cidr ${clusterCidrs.join(",")}); give one of each family, such as --node-ip=${example.join(",")}`;
}
