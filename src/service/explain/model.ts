import type { Cidr } from "#addr/cidr";
import type { Family } from "#addr/family";

/** Who asks. A pod of another node that uses an address of this one is seen as that node, which has masqueraded it. */
export const CLIENTS = ["outside", "pod", "this-node", "other-node"] as const;
export type ClientKind = (typeof CLIENTS)[number];

/** The kinds of address a service is reached by. */
export const WAYS = ["cluster-ip", "node-port", "load-balancer", "external-ip"] as const;
export type WayKind = (typeof WAYS)[number];

/** Why the pod sees what it sees, or why no pod is reached. */
export type Reason =
  | "pod-inside"
  | "nobody-is-masqueraded"
  | "local-policy"
  | "near-endpoint"
  | "local-policy-inside"
  | "own-node"
  | "no-endpoint-here"
  | "asked-for"
  | "other-node"
  | "pod-from-outside"
  | "stranger-inside"
  | "masquerade-all"
  | "no-endpoints"
  | "no-local-endpoint"
  | "no-endpoint-for-pods-here";

/** What becomes of connections of one kind of client by one kind of way, at all nodes where it is the same. Fields are only ever
 *  added. */
export interface Case {
  readonly client: ClientKind;
  readonly way: WayKind;
  /** `10.43.0.7:80/TCP`; of node ports, that part which is the same at all nodes: `:30080/TCP`. */
  readonly entries: readonly string[];
  /** Of those entries. */
  readonly families: readonly Family[];
  /** Where the packets enter the cluster: the first few. */
  readonly nodes: readonly string[];
  readonly nodeCount: number;
  readonly outcome: "reaches" | "refused" | "dropped";
  /** What the pod takes for the client: the client's own address, or the entry node's. */
  readonly sees: "client" | "node" | "nothing";
  readonly reason: Reason;
  readonly why: string;
  /** What to do to have the real address; empty where it is had. */
  readonly remedy: string;
  /** Which endpoints can be chosen: the first few. */
  readonly endpoints: readonly string[];
  readonly endpointCount: number;
  /** Only these sources may; others are dropped. Empty: all may. */
  readonly sources: readonly Cidr[];
}

/** Something besides the routing that decides which address is seen. */
export interface Note {
  readonly about: string;
  readonly text: string;
}

export interface Explanation {
  readonly service: string;
  readonly type: string;
  /** Why no packet of the service is Twill's to route; absent where it is. */
  readonly notRouted?: string;
  readonly internalTrafficPolicy: string;
  readonly externalTrafficPolicy: string;
  readonly clientAddress: "preserve" | "masquerade";
  readonly ready: EndpointSummary;
  readonly cases: readonly Case[];
  readonly notes: readonly Note[];
  /** What was asked about one connection, a sentence for each way it may go. */
  readonly asked?: readonly string[];
}

export interface EndpointSummary {
  readonly total: number;
  /** By the name of the node; the first few. */
  readonly byNode: readonly { readonly node: string; readonly count: number }[];
  readonly nodeCount: number;
}
