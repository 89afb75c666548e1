import { type Cidr, cidrFamily, parseCidr } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { FirewallTraffic } from "./finding.ts";
import { networkOf, type Packet, type PacketSpec, packetOf } from "./packet.ts";

/** What has to get through a node. */
export interface FirewallNeeds {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  /** This node's addresses. */
  readonly nodeIps: readonly Ip[];
  /** Other nodes' addresses, as far as they are known. */
  readonly peerIps: readonly Ip[];
  readonly ports: {
    /** UDP ports that tunnels of each family arrive at. */
    readonly tunnels: Readonly<Record<Family, readonly number[]>>;
    /** Of the API, where this node serves it. */
    readonly api?: number | undefined;
    readonly kubelet: number;
  };
  /** Names of links, where they are known: the pods' bridge, tunnels, and the link to other nodes. */
  readonly links: {
    readonly bridge?: string | undefined;
    readonly tunnel: Readonly<Partial<Record<Family, string>>>;
    readonly underlay: Readonly<Partial<Record<Family, string>>>;
  };
}

export interface TrafficClass {
  readonly kind: FirewallTraffic;
  readonly family: Family;
  readonly hook: "input" | "forward";
  /** `8472/udp`. */
  readonly port: string | undefined;
  /** Kinds of packets of which all must get through. */
  readonly packets: readonly Packet[];
}

/** Somewhere that is nobody's: networks for documentation. */
const OUTSIDE: Readonly<Record<Family, Cidr>> = {
  4: parseCidr("198.51.100.7/32"),
  6: parseCidr("2001:db8:5e77:100::7/128"),
};
/** Other nodes that are looked at one by one; more say no more. */
const MOST_PEERS = 16;

/** What the cluster needs, as packets, each family by itself. */
export function trafficOf(needs: FirewallNeeds): readonly TrafficClass[] {
  return FAMILIES.flatMap((family) => {
    const cluster = networkOf(needs.clusterCidrs, family);
    return [...(cluster ? forwarded(needs, family, cluster) : []), ...received(needs, family, cluster)];
  });
}

function forwarded({ links }: FirewallNeeds, family: Family, cluster: Cidr): TrafficClass[] {
  const common = { family, hook: "forward", protocol: "tcp" } as const;
  const { bridge } = links;
  const tunnel = links.tunnel[family];
  const underlay = links.underlay[family];
  const outside = OUTSIDE[family];
  const between = { ...common, source: cluster, destination: cluster };
  return [
    {
      ...of("pods", common),
      packets: [
        packetOf({ ...between, in: bridge, out: tunnel }),
        packetOf({ ...between, in: tunnel, out: bridge }),
        packetOf({
          ...common,
          source: outside,
          destination: cluster,
          in: underlay,
          out: bridge,
          isTranslated: true,
        }),
      ],
    },
    {
      ...of("pods-out", common),
      packets: [packetOf({ ...common, source: cluster, destination: outside, in: bridge, out: underlay })],
    },
  ];
}

function received(needs: FirewallNeeds, family: Family, cluster: Cidr | undefined): TrafficClass[] {
  const { ports, links, peerIps } = needs;
  const own = needs.nodeIps.find((ip) => familyOf(ip) === family);
  if (own === undefined) return [];
  const peers = peerIps.filter((ip) => familyOf(ip) === family).slice(0, MOST_PEERS);
  const common = { family, hook: "input", destination: own } as const;
  const fromPeers = (protocol: "tcp" | "udp", port: number) =>
    (peers.length > 0 ? peers : [OUTSIDE[family]]).map((source) =>
      packetOf({ ...common, protocol, port, source, in: links.underlay[family] }),
    );
  const fromNodes = (kind: FirewallTraffic, protocol: "tcp" | "udp", port: number): TrafficClass => ({
    ...of(kind, common, `${port}/${protocol}`),
    packets: fromPeers(protocol, port),
  });
  const toNode: Omit<PacketSpec, "source"> = { ...common, protocol: "tcp", in: links.bridge };
  const nodePort = ports.api ?? ports.kubelet;
  return [
    ...(cluster === undefined
      ? []
      : [
          {
            ...of("pods-to-node", common),
            packets: [packetOf({ ...toNode, source: cluster, port: nodePort })],
          },
        ]),
    ...ports.tunnels[family].map((port) => fromNodes("tunnel", "udp", port)),
    ...(ports.api === undefined ? [] : [fromNodes("api", "tcp", ports.api)]),
    fromNodes("kubelet", "tcp", ports.kubelet),
  ];
}

function of(
  kind: FirewallTraffic,
  { family, hook }: { readonly family: Family; readonly hook: "input" | "forward" },
  port?: string,
): Omit<TrafficClass, "packets"> {
  return { kind, family, hook, port };
}

/** The families a cluster has. */
export function familiesOf(cidrs: readonly Cidr[]): readonly Family[] {
  return FAMILIES.filter((family) => cidrs.some((cidr) => cidrFamily(cidr) === family));
}
