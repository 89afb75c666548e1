/** What a WireGuard device holds and what it can be told, whichever of its two languages carries it. Keys are base64. */
import type { Cidr } from "#addr/cidr";
import { familyOf, type Ip, ipFromBytes, ipToBytes } from "#addr/ip";

/** Where a peer is sent to: the UDP end of its tunnel. */
export interface WireguardEndpoint {
  readonly ip: Ip;
  readonly port: number;
}

/** A peer as a device lists it. */
export interface WireguardPeer {
  readonly publicKey: string;
  /** Absent where none is set. */
  readonly presharedKey?: string;
  /** The last one it was heard from, or the one it was given. */
  readonly endpoint?: WireguardEndpoint;
  /** 0: none are sent. */
  readonly keepaliveSeconds: number;
  readonly allowedIps: readonly Cidr[];
  /** Since the epoch; absent before the first handshake. */
  readonly lastHandshakeMs?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface WireguardDevice {
  /** Nothing until a private key is set. */
  readonly publicKey: string | undefined;
  /** UDP; 0 before one is chosen. */
  readonly listenPort: number;
  readonly peers: readonly WireguardPeer[];
}

/** What a peer is to become; what is left out stays as it is. */
export type PeerChange =
  | { readonly publicKey: string; readonly isRemoved: true }
  | {
      readonly publicKey: string;
      readonly isRemoved?: false;
      /** `undefined` takes the one that stands away; a change without this member leaves it. */
      readonly presharedKey?: string | undefined;
      readonly endpoint?: WireguardEndpoint;
      readonly keepaliveSeconds?: number;
      /** All of them; a network that another peer had moves here. */
      readonly allowedIps?: readonly Cidr[];
    };

export interface WireguardChange {
  readonly privateKey?: string;
  readonly listenPort?: number;
  /** Takes every standing peer away before `peers` are set. */
  readonly replacesPeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

/** All zero: takes a preshared key away. */
export const NO_KEY = `${"A".repeat(43)}=`;

/** An IPv4 address that a socket of both families writes as IPv6 (`::ffff:192.0.2.7`) is the IPv4 address it is. */
export function unmapped(ip: Ip): Ip {
  if (familyOf(ip) === 4 || !ip.startsWith("::ffff:")) return ip;
  const bytes = ipToBytes(ip);
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? ipFromBytes(bytes.subarray(12)) : ip;
}
