import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { FabricKind } from "../model.ts";

/** A way to one family of a peer, to be tried with real packets. */
export interface ProbeTarget {
  readonly node: string;
  readonly family: Family;
  readonly kind: FabricKind;
  /** Packets for the peer's pods leave through it. */
  readonly device: string;
  /** Addresses behind that way which the peer's kernel answers for, the best one first. */
  readonly to: readonly Ip[];
  /** Where the peer takes the packets that carry the pods'. */
  readonly underlay: Ip;
  /** The largest packet that should get through. */
  readonly mtuBytes: number;
}

/** Whether packets arrive whose checksums are left to the devices on their way. `broken`: only others did, so that is turned
 *  off; `unknown`: not tried, or too few answers to tell. */
export type Offload = "works" | "broken" | "unknown";

/** What is known of the way to one family of a peer. */
export interface PeerHealth {
  readonly node: string;
  readonly family: Family;
  readonly kind: FabricKind;
  readonly device: string;
  /** Nothing before the first answer or refusal. */
  readonly reachable?: boolean;
  /** Milliseconds since the epoch. */
  readonly lastAnswerMs?: number;
  readonly roundTripUs?: number;
  /** The largest packet that gets there and back. Absent where that is not known. */
  readonly mtuBytes?: number;
  readonly offload: Offload;
}

export interface ProbeConfig {
  /** Who fills in checksums of packets in VXLAN tunnels. `on`: the devices; `off`: the kernel; `auto`: the devices, until packets
   *  are found not to arrive because of that. */
  readonly offload: "auto" | "on" | "off";
  /** Remembers over restarts where offload was turned off. */
  readonly stateFile: string;
}

export function targetKey({ node, family }: Pick<ProbeTarget, "node" | "family">): string {
  return `${family} ${node}`;
}
