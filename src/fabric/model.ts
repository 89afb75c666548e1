import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Family, PerFamily } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import type { Route } from "#kernel/kernel";
import type { Annotations } from "#wire/flannel-annotations";

/** How packets for other nodes' pods travel. Host routes and WireGuard will be further members. */
export type FabricBackend = VxlanBackend;

export interface VxlanBackend {
  readonly kind: "vxlan";
  /** The VXLAN network number; all nodes agree on it. */
  readonly vni: number;
  /** UDP port of the tunnel. */
  readonly port: number;
}

export const DEFAULT_BACKEND: FabricBackend = {
  kind: "vxlan",
  vni: CLAIMS.vxlan.vni,
  port: CLAIMS.vxlan.port,
};

/** Whether ports are picked at random by the kernel when pods' traffic leaves the cluster's network. */
export type Masquerade = "fully-random" | "plain";

export interface FabricConfig {
  /** The pod networks of the cluster, at most one a family. */
  readonly clusterCidrs: readonly Cidr[];
  /** This node's addresses; the link that carries one is the tunnel's underlay. */
  readonly nodeIps: readonly Ip[];
  /** The underlay by name (`--flannel-iface`), instead of the link of the node address. */
  readonly iface?: string;
  /** Addresses peers are told instead of the underlay's (`--flannel-external-ip`). */
  readonly publicIps?: readonly Ip[];
  readonly backend: FabricBackend;
  /** A family that is absent is not masqueraded. K3s: IPv4 always, IPv6 with `--flannel-ipv6-masq`. */
  readonly masquerade: PerFamily<Masquerade>;
  /** Where CNI plugins look for this node's subnet; K3s: `/run/flannel/subnet.env`. */
  readonly subnetFile: string;
}

/** What the fabric tells the node once its own half stands. */
export interface FabricReady {
  readonly podCidrs: readonly Cidr[];
  /** What fits through every tunnel: the MTU of pods. */
  readonly mtuBytes: number;
}

/** The part of a Node that the fabric looks at. */
export interface NodeView {
  readonly name: string;
  readonly podCidrs: readonly string[];
  readonly annotations: Annotations;
  readonly addresses: readonly string[];
}

/** The subnets that were given to this node, and the tunnel addresses it has announced earlier. */
export interface Lease {
  readonly node: string;
  readonly podCidrs: PerFamily<Cidr>;
  readonly macs: PerFamily<Mac>;
}

export interface FabricSnapshot {
  readonly lease: Lease;
  /** What our Node says; nothing while it is away. */
  readonly said: Annotations | undefined;
  readonly peers: readonly Peer[];
  /** Addresses of all nodes of the cluster: those may send us tunnel packets. */
  readonly members: readonly Ip[];
}

/** One family of another node: its pods, and where its tunnel ends. */
export interface Peer {
  readonly node: string;
  readonly family: Family;
  readonly podCidr: Cidr;
  readonly mac: Mac;
  readonly vtep: Ip;
}

/** The link that carries the tunnel's packets. */
export interface Underlay {
  readonly index: number;
  readonly name: string;
  readonly mtuBytes: number;
  readonly local: Ip;
}

/** What this machine brings along: where the tunnels run, the MAC each has or, where none stands, will get, and whether its
 *  kernel can filter bridged packets. */
export interface Ground {
  readonly underlays: PerFamily<Underlay>;
  readonly macs: PerFamily<Mac>;
  readonly canFilterBridged: boolean;
}

/** A tunnel's device. */
export interface Vtep {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  readonly underlay: number;
  readonly local: Ip;
  readonly learning: boolean;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly addresses: readonly IpPrefix[];
}

/** What a device takes without being made anew. */
export interface VtepChange {
  readonly mac?: Mac;
  readonly mtuBytes?: number;
  readonly isUp?: boolean;
}

/** All that the fabric keeps in the kernel: what is wanted, or what stands. Entries of a family live on its device. */
export interface FabricState {
  readonly vteps: PerFamily<Vtep>;
  /** Peer's gateway address to the MAC that answers for it. */
  readonly neighbors: ReadonlyMap<Ip, Mac>;
  /** `family MAC` to the node address its frames go to. */
  readonly fdb: ReadonlyMap<string, FdbTarget>;
  /** Peer's subnet to its gateway. */
  readonly routes: ReadonlyMap<Cidr, Ip>;
  /** Routes with our protocol number that no tunnel of ours needs. */
  readonly strays: readonly Route[];
  readonly program: Program | undefined;
  /** Addresses tunnel packets are taken from. */
  readonly members: ReadonlySet<Ip>;
  readonly sysctls: ReadonlyMap<string, string>;
}

/** Our nftables program. One that was found in the kernel is known by its name only. */
export interface Program {
  readonly name: string;
  /** How many it has, or had when it was observed. */
  readonly rules: number;
  readonly input?: ProgramInput;
}

export interface ProgramInput {
  /** The tunnel's UDP port, which the guard watches. */
  readonly port: number;
  readonly masquerade: PerFamily<MasqueradeInput>;
}

export interface MasqueradeInput {
  readonly mode: Masquerade;
  readonly cluster: Cidr;
  readonly node: Cidr;
}

export interface FdbTarget {
  readonly family: Family;
  readonly mac: Mac;
  readonly vtep: Ip;
}

/** The settings that make a machine pass packets on, as K3s sets them. */
export const FORWARDING = {
  4: ["net/ipv4/conf/all/forwarding", "net/ipv4/conf/default/forwarding"],
  6: ["net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding"],
} as const;

/** The settings that pass bridged packets through the packet filter: there a service's answer gets the service's address back
 *  when client and endpoint are on one node. They are there once `br_netfilter` is loaded. */
export const BRIDGED = {
  4: ["net/bridge/bridge-nf-call-iptables"],
  6: ["net/bridge/bridge-nf-call-ip6tables"],
} as const;

export function fdbKey(family: Family, mac: Mac): string {
  return `${family} ${mac}`;
}

export const NOTHING: FabricState = {
  vteps: {},
  neighbors: new Map(),
  fdb: new Map(),
  routes: new Map(),
  strays: [],
  program: undefined,
  members: new Set(),
  sysctls: new Map(),
};
