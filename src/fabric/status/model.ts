import type { Cidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { FabricKind } from "../model.ts";

/** What the fabric of one node says of itself: what `twill fabric status -o json` prints. Fields are only ever added. */
export interface FabricStatus {
  readonly node: string;
  /** ISO 8601. */
  readonly at: string;
  /** What the node is set up with; peers may be reached otherwise. */
  readonly backend: FabricKind;
  readonly podCidrs: readonly Cidr[];
  /** What fits through every tunnel. */
  readonly mtuBytes: number | null;
  /** Why this node's half does not stand yet; empty once it does. */
  readonly waitingFor: readonly string[];
  readonly devices: readonly DeviceStatus[];
  readonly guard: GuardStatus;
  readonly rounds: RoundStatus;
  /** What is wrong with this machine, or worth knowing. */
  readonly findings: readonly Finding[];
  readonly peers: readonly PeerStatus[];
  /** Nodes that offer no way to their pods. */
  readonly silent: readonly SilentNode[];
}

export interface SilentNode {
  readonly node: string;
  readonly problems: readonly string[];
}

export interface Finding {
  readonly summary: string;
  /** Commands that would mend it. */
  readonly fix: readonly string[];
}

export interface DeviceStatus {
  readonly name: string;
  readonly kind: FabricKind;
  /** Of the packets it carries; a WireGuard device may carry both. */
  readonly families: readonly Family[];
  readonly isUp: boolean;
  readonly mtuBytes: number;
  /** UDP port it listens at. */
  readonly port: number | null;
  /** The link and address its packets leave by. */
  readonly underlay: string | null;
  readonly local: Ip | null;
  /** Who does WireGuard's work. */
  readonly carrier: "kernel" | "userspace" | null;
}

export interface GuardStatus {
  /** `absent`: its rules are not loaded. */
  readonly state: "on" | "off" | "absent";
  readonly ports: readonly number[];
  /** All that came from addresses of no node: dropped, or let in where the guard is off. */
  readonly strangers: Traffic;
  /** The addresses that were heard of within the hour. */
  readonly listed: readonly StrangerStatus[];
  /** Whether there are more of those than are kept. */
  readonly isFull: boolean;
}

export interface StrangerStatus extends Traffic {
  readonly ip: Ip;
  readonly secondsAgo: number;
  /** The node that has the address all the same: then a pod used it, or a service led there. */
  readonly node: string | null;
}

export interface RoundStatus {
  readonly total: number;
  readonly failed: number;
  /** Rounds that changed something although no Node said anything new: that put back what something else had changed. */
  readonly repairs: number;
  /** Of the last one. */
  readonly lastSeconds: number | null;
  readonly lastFaults: readonly string[];
}

/** One family of another node. */
export interface PeerStatus {
  readonly node: string;
  readonly family: Family;
  /** What runs there. */
  readonly runs: "twill" | "flannel";
  /** `ok`: it answers, or nobody asks it and its way stands. `waiting`: it has not answered yet. `down`: there is no way, or
   *  nothing comes back. */
  readonly state: "ok" | "waiting" | "down";
  /** How packets for it travel; nothing where there is no way. */
  readonly kind: FabricKind | null;
  /** Where they are sent: an address, with a port where the path has one. */
  readonly endpoint: string | null;
  readonly podCidr: Cidr;
  /** How long ago WireGuard last exchanged keys with it. */
  readonly handshakeSeconds: number | null;
  /** How long ago it last answered a probe. */
  readonly answeredSeconds: number | null;
  readonly roundTripMs: number | null;
  /** Of the device its packets go through. */
  readonly mtuBytes: number | null;
  /** The largest packet that was found to get through. */
  readonly pathMtuBytes: number | null;
  /** Since the guard's program was loaded; nothing for plain routes, which nothing counts. */
  readonly received: Traffic | null;
  /** Counted by WireGuard's device; nothing counts for the others. */
  readonly sentBytes: number | null;
  readonly problems: readonly string[];
}

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}
