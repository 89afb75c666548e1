import type { Ip } from "#addr/ip";
import type { Explanation } from "../explain/model.ts";
import type { Protocol } from "../model.ts";
import type { ServiceProblem } from "../problems.ts";

/** What may be asked at the socket: one line of JSON. */
export type Question =
  | { readonly ask: "list" }
  | {
      readonly ask: "explain";
      /** `namespace/name`, or a name that only one namespace has. */
      readonly service: string;
      readonly from?: Ip;
      readonly to?: Ip;
      readonly port?: number;
    };

/** What one node's routing says of itself. Fields are only ever added. */
export interface RoutingStatus {
  readonly node: string;
  /** ISO 8601. */
  readonly at: string;
  /** What routing still waits for; empty once it works. */
  readonly waitingFor: readonly string[];
  readonly rounds: RoundStatus;
}

export interface RoundStatus {
  readonly total: number;
  readonly failed: number;
  /** ISO 8601, of the last one. */
  readonly lastAt: string | null;
  readonly lastSeconds: number | null;
  readonly lastFaults: readonly string[];
}

export interface ListAnswer extends RoutingStatus {
  readonly kind: "list";
  /** Those with problems first, then by name. */
  readonly services: readonly ListedService[];
  /** Of all services, told or not. */
  readonly serviceCount: number;
  readonly problems: readonly ServiceProblem[];
  readonly problemCount: number;
}

export interface ListedService {
  readonly service: string;
  readonly type: string;
  readonly clusterIps: readonly string[];
  /** Addresses besides ClusterIPs: of load balancers, and external ones. */
  readonly addresses: readonly string[];
  /** `80:30080/TCP` */
  readonly ports: readonly string[];
  readonly ready: number;
  readonly readyHere: number;
  readonly externalTrafficPolicy: string;
  /** Why Twill does not route it; null where it does. */
  readonly notRouted: string | null;
  readonly problems: number;
}

export interface ExplainAnswer extends RoutingStatus {
  readonly kind: "explain";
  readonly explanation: Explanation;
  readonly problems: readonly ServiceProblem[];
  readonly connections: Connections;
}

export interface Connections {
  /** Of the moment: the newest are not told apart from old ones. */
  readonly listed: readonly Connection[];
  readonly total: number;
  /** How many of them are masqueraded. */
  readonly masqueraded: number;
  /** Why they could not be read; null where they were. */
  readonly unread: string | null;
}

/** One connection to the service, as connection tracking has it. */
export interface Connection {
  readonly protocol: Protocol;
  readonly client: Ip;
  readonly clientPort: number;
  readonly entry: string;
  /** Who answers. */
  readonly endpoint: string;
  /** What the endpoint sees as the client. */
  readonly seenAs: Ip;
  readonly isMasqueraded: boolean;
  /** `service`; or `host-port`: taken at the node's own address by a pod, such as svclb's. */
  readonly by: "service" | "host-port";
}

/** Asked for a service that is not there, or that several are. */
export interface UnknownAnswer {
  readonly kind: "unknown";
  readonly node: string;
  /** Services that may have been meant. */
  readonly candidates: readonly string[];
  readonly isAmbiguous: boolean;
}

export type Answer = ListAnswer | ExplainAnswer | UnknownAnswer;
