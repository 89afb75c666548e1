import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Family, PerFamily } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import type { Route } from "#kernel/kernel";
import type {
  Annotations,
  FlannelEnds,
  FlannelKind,
  HostGwEnd,
  VxlanEnd,
  WireguardEnd,
} from "#wire/flannel-annotations";
import type { ProbeConfig } from "./probe/model.ts";
import type { Tunnel } from "./wireguard/tunnel.ts";
import type { WireguardKeyFile } from "./wireguard-key.ts";

/** The ways packets for other nodes' pods can travel; flannel's words. */
export type FabricKind = FlannelKind;

/** What the cluster is set up with: the backend that a node prefers, by flannel's net-conf. */
export type FabricBackend = VxlanBackend | HostGwBackend | WireguardBackend;

export interface VxlanBackend {
  readonly kind: "vxlan";
  /** The VXLAN network number; all nodes agree on it. */
  readonly vni: number;
  /** UDP port of the tunnel. */
  readonly port: number;
  /** The group policy extension: packets carry their mark. All nodes agree on it. */
  readonly gbp: boolean;
  /** Whether the device learns which node an address is at, besides what it is told. */
  readonly learning: boolean;
  /** Peers on this machine's own network are reached by plain routes, without a tunnel. */
  readonly directRouting: boolean;
  /** Taken for the underlay's, before the tunnel's overhead. */
  readonly mtuBytes?: number;
}

export interface HostGwBackend {
  readonly kind: "host-gw";
}

export interface WireguardBackend {
  readonly kind: "wireguard";
  /** UDP ports: of the device that runs over IPv4, or carries all, and of the one over IPv6. */
  readonly listenPorts: Required<PerFamily<number>>;
  /** Base64; the same on all nodes. */
  readonly presharedKey?: string;
  /** 0 for none. */
  readonly keepaliveSeconds: number;
  /** Of the device. */
  readonly mtuBytes?: number;
  /** `separate`: a device for each family. The others: one device, and which of a peer's addresses it is reached at. */
  readonly mode: "separate" | "auto" | "ipv4" | "ipv6";
}

export const VXLAN: VxlanBackend = {
  kind: "vxlan",
  vni: CLAIMS.vxlan.vni,
  port: CLAIMS.vxlan.port,
  gbp: false,
  learning: false,
  directRouting: false,
};
export const HOST_GW: HostGwBackend = { kind: "host-gw" };
/** As K3s sets it up. */
export const WIREGUARD: WireguardBackend = {
  kind: "wireguard",
  listenPorts: CLAIMS.wireguard.ports,
  keepaliveSeconds: 25,
  mode: "separate",
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
  /** Addresses peers are told instead of the underlay's (`--flannel-external-ip`). Where they are absent, the Node's own
   *  `public-ip-overwrite` counts; where they are given it says the same, none included. */
  readonly publicIps?: readonly Ip[];
  /** The same by flanneld's `--public-ip`, which the Node's overwrite beats. */
  readonly flagPublicIps?: readonly Ip[];
  readonly backend: FabricBackend;
  /** Absent: this node cannot take part in WireGuard. */
  readonly wireguardKey?: WireguardKeyFile;
  /** Whether packets to the tunnels' ports are dropped that come from no node of the cluster. */
  readonly guard: boolean;
  /** A family that is absent is not masqueraded. K3s: IPv4 always, IPv6 with `--flannel-ipv6-masq`. */
  readonly masquerade: PerFamily<Masquerade>;
  /** Where CNI plugins look for this node's subnet; K3s: `/run/flannel/subnet.env`. */
  readonly subnetFile: string;
  /** Absent: no way to a peer is tried out. */
  readonly probe?: ProbeConfig;
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
  /** WireGuard's, as announced earlier. */
  readonly publicKey?: string;
}

export interface FabricSnapshot {
  readonly lease: Lease;
  /** What our Node says; nothing while it is away. */
  readonly said: Annotations | undefined;
  readonly peers: readonly Peer[];
  /** Addresses of all nodes of the cluster: those may send us tunnel packets. */
  readonly members: readonly Ip[];
}

/** One family of another node: its pods, and where it takes packets for them. */
export interface Peer {
  readonly node: string;
  readonly family: Family;
  readonly podCidr: Cidr;
  /** A node of flannel's own reads nothing but flannel's annotations, and has one end. */
  readonly runs: "twill" | "flannel";
  /** What it is set up with. */
  readonly primary: FabricKind;
  readonly ends: Partial<FlannelEnds>;
}

/** The way this node's packets take to one family of a peer. */
export type Path = { readonly node: string; readonly family: Family; readonly podCidr: Cidr } & (
  | { readonly kind: "vxlan"; readonly end: VxlanEnd }
  /** Through the peer as a router on our own network: host-gw, and what DirectRouting makes of vxlan. */
  | { readonly kind: "host-gw"; readonly end: HostGwEnd }
  | { readonly kind: "wireguard"; readonly end: WireguardEnd }
);

/** The link that carries the tunnel's packets. */
export interface Underlay {
  readonly index: number;
  readonly name: string;
  readonly mtuBytes: number;
  readonly local: Ip;
  /** Networks on the link, whose machines are reached without a router. */
  readonly connected: readonly Cidr[];
  /** Parts of those that a route gives to a router all the same. */
  readonly routed: readonly Cidr[];
}

/** What this machine brings along, and what has become true of it over time. */
export interface Ground {
  /** Where the tunnels run. */
  readonly underlays: PerFamily<Underlay>;
  /** The MAC each vxlan device has or, where none stands, will get. */
  readonly macs: PerFamily<Mac>;
  /** Whether its kernel can filter bridged packets. */
  readonly canFilterBridged: boolean;
  /** Kinds that cannot stand here, with the reason. */
  readonly unable: ReadonlyMap<FabricKind, string>;
  /** Kinds that nobody needs any more, but a packet on its way may. */
  readonly lingering: ReadonlySet<FabricKind>;
  /** WireGuard peers, by public key, that have answered a handshake. */
  readonly answered: ReadonlySet<string>;
  /** WireGuard devices that stand. */
  readonly tunnels: ReadonlyMap<string, Tunnel>;
  /** Of this node's WireGuard key; undefined where there is none to be had. */
  readonly publicKey: string | undefined;
  /** `device key` to the `address:port` that the WireGuard peer was wanted at before. */
  readonly endpoints: ReadonlyMap<string, string>;
  readonly reversePath: ReversePath;
}

/** Of the devices that stand: where packets are dropped whose answer would leave by another device (`rp_filter`). */
export interface ReversePath {
  /** Devices where it is so. */
  readonly strict: ReadonlySet<string>;
  /** Underlays where it was so before this process loosened it, with the setting that stood there. */
  readonly loosened: ReadonlyMap<string, string>;
}

/** On a machine that brings nothing special along. */
export const PLAIN_GROUND: Omit<Ground, "underlays" | "macs" | "canFilterBridged"> = {
  unable: new Map(),
  lingering: new Set(),
  answered: new Set(),
  tunnels: new Map(),
  publicKey: undefined,
  endpoints: new Map(),
  reversePath: { strict: new Set(), loosened: new Map() },
};

/** A tunnel's device. */
export interface Vtep {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  readonly underlay: number;
  readonly local: Ip;
  readonly learning: boolean;
  readonly gbp: boolean;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly addresses: readonly IpPrefix[];
}

/** What a device takes without being made anew. */
export interface VtepChange {
  readonly underlay?: number;
  readonly local?: Ip;
  readonly mac?: Mac;
  readonly mtuBytes?: number;
  readonly isUp?: boolean;
}

/** All that the fabric keeps in the kernel: what is wanted, or what stands. Entries of a family live on its device. */
export interface FabricState {
  readonly vteps: PerFamily<Vtep>;
  /** WireGuard devices by name. */
  readonly tunnels: ReadonlyMap<string, Tunnel>;
  /** Peer's gateway address to the MAC that answers for it. */
  readonly neighbors: ReadonlyMap<Ip, Mac>;
  /** `family MAC` to the node address its frames go to. */
  readonly fdb: ReadonlyMap<string, FdbTarget>;
  /** Peer's subnet to the way there. */
  readonly routes: ReadonlyMap<Cidr, PodRoute>;
  /** Pod networks of the cluster where packets are answered with ICMP, unless a route to a peer's subnet is there. */
  readonly deadEnds: ReadonlySet<Cidr>;
  /** Routes with our protocol number beside those. */
  readonly strays: readonly Route[];
  /** Ways that the kernel would not take; asked again at the next look. */
  readonly refused: ReadonlyMap<Cidr, PodRoute>;
  readonly program: Program | undefined;
  /** Addresses tunnel packets are taken from. */
  readonly members: ReadonlySet<Ip>;
  readonly sysctls: ReadonlyMap<string, string>;
}

/** The next hop of packets for a peer's pods. */
export interface PodRoute {
  readonly device: string;
  /** Absent where the device finds the peer by itself. */
  readonly via?: Ip;
  /** The gateway is on the device although no address there says so. */
  readonly onlink: boolean;
}

/** Our nftables program. One that was found in the kernel is known by its name only. */
export interface Program {
  readonly name: string;
  /** How many it has, or had when it was observed. */
  readonly rules: number;
  readonly input?: ProgramInput;
}

export interface ProgramInput {
  /** UDP ports of the tunnels, which the guard watches. */
  readonly ports: readonly number[];
  /** Whether what strangers send there is dropped, or only counted. */
  readonly guard: boolean;
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
  tunnels: new Map(),
  neighbors: new Map(),
  fdb: new Map(),
  routes: new Map(),
  deadEnds: new Set(),
  strays: [],
  refused: new Map(),
  program: undefined,
  members: new Set(),
  sysctls: new Map(),
};
