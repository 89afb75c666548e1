import type { Cidr } from "#addr/cidr";
import type { Family, PerFamily } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Problem } from "./problems.ts";
import type { SetName } from "./sets.ts";

export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
export type Protocol = keyof typeof PROTOCOLS;

/** What the room is told once, at start. */
export interface ServiceConfig {
  /** Sources that are not masqueraded on their way to a ClusterIP, and that policy Local does not bind. */
  readonly localPods: LocalPods;
  /** Where ClusterIPs come from; a packet to one that no service holds is dropped. Their families are those routed. Objects of
   *  the API may name more. */
  readonly serviceCidrs: readonly Cidr[];
  /** Masquerade every connection to a ClusterIP. */
  readonly masqueradeAll?: boolean;
  /** Which of this node's addresses answer on NodePorts; left out: all. */
  readonly nodePortAddresses?: NodePortAddresses;
  /** Ports of this node that no service may have on the node's own addresses. */
  readonly reservedPorts?: readonly ReservedPort[];
  /** Ports that no service may have on addresses of the cluster's other nodes, or of those that run its API. */
  readonly reservedElsewhere?: readonly (ReservedPort & { readonly of: "nodes" | "servers" })[];
  /** NodePorts answer on 127.0.0.1 too. */
  readonly localhostNodePorts?: boolean;
  /** Leave forwarded packets alone that belong to no connection the kernel knows; otherwise they are dropped, or an answer
   *  that came late would reach its client from the endpoint's own address and end the connection. */
  readonly conntrackBeLiberal?: boolean;
}

/** How a pod's packets are told from others'. @see kube-proxy's --detect-local-mode */
export type LocalPods =
  /** By their source. None means that nobody is taken for a stranger. */
  | { readonly kind: "cidrs"; readonly cidrs: readonly Cidr[] }
  /** By their source, which is in this node's own pod networks. */
  | { readonly kind: "node-cidrs" }
  /** By where they come in. */
  | { readonly kind: "bridge"; readonly name: string }
  | { readonly kind: "interfaces"; readonly prefixes: readonly string[] }
  | { readonly kind: "none" };

/** `all`: those the kernel has, but for loopback and link-local ones. `primary`: the first one of the Node object. */
export type NodePortAddresses = "all" | { readonly cidrs: readonly Cidr[]; readonly primary: boolean };

export interface ReservedPort {
  readonly protocol: Protocol;
  readonly port: number;
  /** What would be cut off: `the Kubernetes API`. */
  readonly why: string;
}

/** Where this node is, as far as choosing endpoints goes. */
export interface Place {
  readonly nodeName: string;
  /** The node's `topology.kubernetes.io/zone`. */
  readonly zone: string | undefined;
  /** The kernel's addresses, but for loopback and link-local ones. */
  readonly localIps: readonly Ip[];
  /** InternalIPs and ExternalIPs of the Node object. */
  readonly nodeIps: readonly Ip[];
  /** Those that answer on NodePorts. */
  readonly nodePortIps: readonly Ip[];
  /** Those that do for this node alone (127.0.0.1); left out: none. */
  readonly loopbackIps?: readonly Ip[];
}

/** What belongs to no service and still is in elements. */
export interface Ground {
  /** InternalIPs and ExternalIPs of all Nodes. */
  readonly clusterNodes: readonly Ip[];
  /** Those of Nodes that run the API. */
  readonly servers: readonly Ip[];
  /** Where ClusterIPs come from: as configured, and by the API's objects. */
  readonly serviceCidrs: readonly Cidr[];
  /** This Node's pod networks. */
  readonly podCidrs: readonly Cidr[];
}

/** One address, protocol and port that clients send to. */
export interface Frontend {
  readonly ip: Ip;
  readonly protocol: Protocol;
  readonly port: number;
}

/** One endpoint of a service port. Terminating ones still serve when nothing else does. */
export interface Backend {
  readonly ip: Ip;
  readonly port: number;
  readonly isLocal: boolean;
  readonly isReady: boolean;
  /** Serving and terminating. */
  readonly isLeaving: boolean;
  readonly hints: { readonly zones: readonly string[]; readonly nodes: readonly string[] };
}

/** Clients stay with an endpoint for `timeoutSeconds` after their last new connection. `group` names those who share. */
export interface Affinity {
  readonly group: string;
  readonly timeoutSeconds: number;
}

/** What becomes of new connections to a frontend. */
export type Target = BackendTarget | { readonly kind: "reject" } | { readonly kind: "drop" };

export interface BackendTarget {
  readonly kind: "backends";
  readonly backends: readonly Backend[];
  readonly affinity?: Affinity;
}

/** A frontend and where it leads. */
export interface Route {
  readonly frontend: Frontend;
  /** Allocated to its service, so no other service may take it over. */
  readonly isClusterIp: boolean;
  /** `inside`: masquerade sources from outside the cluster; `outside`: masquerade always. */
  readonly entry: "inside" | "outside";
  readonly target: Target;
  /** With externalTrafficPolicy Local: where clients that are neither pods nor this node are led, unmasqueraded. */
  readonly localTarget?: Exclude<Target, { kind: "reject" }>;
  /** With externalTrafficPolicy Cluster: ready endpoints of this node, where strangers are led unmasqueraded. */
  readonly nearTarget?: BackendTarget;
  /** Only these sources may use it (loadBalancerSourceRanges). */
  readonly sources?: readonly Cidr[];
}

/** Everything one service asks of one family. */
export interface ServiceRoutes {
  readonly clusterIp: Ip;
  readonly routes: readonly Route[];
  /** By frontend of a UDP port with a serving endpoint: who may answer its connections, as `udpKey`. */
  readonly udpAnswerers: ReadonlyMap<Frontend, ReadonlySet<string>>;
  /** What is wrong with the objects themselves. */
  readonly problems: readonly Problem[];
}

/** An element of a set or map in nft's own words: `10.43.0.1 . tcp . 80` and `goto inside-3`; data is "" in a set. */
export interface Element {
  readonly family: Family;
  readonly set: SetName;
  readonly key: string;
  readonly data: string;
}

export type ElementChange = Element & { readonly op: "add" | "delete" };

/** Elements by `setId`, then by key; the value is the data. */
export type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What stands in the kernel, or shall stand. */
export interface ServiceState {
  /** By family, the hash of the program; absent where there is none. */
  readonly programs: PerFamily<string>;
  /** Chains that elements may lead to, as `chainId`. */
  readonly chains: ReadonlySet<string>;
  readonly elements: Elements;
  /** Which desired elements these are; absent for those read from the kernel. */
  readonly revision?: number;
  readonly wish?: Wish;
}

/** What only a desired state has. */
export interface Wish {
  /** How its elements differ from those of revision `since`. */
  readonly since: number;
  readonly changes: readonly ElementChange[];
  /** UDP frontends whose answerers differ. */
  readonly changedAnswerers: UdpAnswerers;
  readonly answerers: UdpAnswerers;
  /** Look whether the programs still stand. */
  readonly check: boolean;
}

/** By `udpKey` of a UDP frontend, the addresses that may answer. */
export type UdpAnswerers = ReadonlyMap<string, ReadonlySet<string>>;

export type ServiceOp =
  | { readonly op: "check"; readonly programs: PerFamily<string> }
  | {
      readonly op: "load";
      readonly family: Family;
      readonly hash: string;
      readonly text: string;
      readonly chains: readonly string[];
    }
  | {
      readonly op: "chains";
      readonly family: Family;
      readonly chains: readonly string[];
      readonly text: string;
    }
  | { readonly op: "elements"; readonly changes: readonly ElementChange[]; readonly revision: number }
  | { readonly op: "forget-flows"; readonly answerers: UdpAnswerers };

export function setId(family: Family, set: SetName): string {
  return `${family} ${set}`;
}

export function chainId(family: Family, chain: string): string {
  return `${family} ${chain}`;
}

/** Of chains of all families, the names of one's. */
export function chainsOf(family: Family, ids: Iterable<string>): string[] {
  return [...ids].flatMap((id) => (id.startsWith(`${family} `) ? [id.slice(2)] : []));
}

/** nft's words for a frontend, which is also its identity. */
export function frontendKey({ ip, protocol, port }: Frontend): string {
  return `${ip} . ${protocol} . ${port}`;
}

/** A UDP frontend, or who answers there, as a tracked connection names it. */
export function udpKey(ip: Ip, port: number): string {
  return `${ip} . ${port}`;
}
