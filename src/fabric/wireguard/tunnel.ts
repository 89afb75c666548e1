/** A WireGuard device as the fabric keeps it: which device carries a family, and what stands on it. Keys are base64. */
import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Family } from "#addr/family";
import { formatEndpoint } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { WireguardEndpoint } from "#wire/wireguard";
import { type FabricBackend, WIREGUARD, type WireguardBackend } from "../model.ts";

export interface Tunnel {
  readonly name: string;
  /** Of this node's own key; undefined before one is set. */
  readonly publicKey: string | undefined;
  /** UDP. */
  readonly listenPort: number;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly addresses: readonly IpPrefix[];
  readonly peers: ReadonlyMap<string, TunnelPeer>;
  /** The link is no WireGuard device. Only of what stands. */
  readonly isForeign?: boolean;
}

export interface TunnelPeer {
  readonly endpoint: WireguardEndpoint | undefined;
  readonly keepaliveSeconds: number;
  readonly presharedKey: string | undefined;
  readonly allowedIps: readonly Cidr[];
  /** The endpoint is another than was wanted before. Only of what is wanted. */
  readonly isMoved?: boolean;
  /** Since the epoch; absent before the first. Only of what stands. */
  readonly lastHandshakeMs?: number;
  /** The peer was heard not long ago, so its endpoint is where it is, whatever it says on its Node: WireGuard follows a peer
   *  that changes its address, or whose address is translated. Only of what stands. */
  readonly isHeard?: boolean;
}

/** What a device takes without being made anew. */
export interface TunnelChange {
  readonly publicKey?: string;
  readonly listenPort?: number;
  readonly mtuBytes?: number;
  readonly isUp?: boolean;
}

/** The cluster's settings, or those of K3s on a node that is set up with another backend. */
export function wireguardSettings({ backend }: { readonly backend: FabricBackend }): WireguardBackend {
  return backend.kind === "wireguard" ? backend : WIREGUARD;
}

/** The device that carries a family's packets. */
export function tunnelName({ mode }: Pick<WireguardBackend, "mode">, family: Family): string {
  return CLAIMS.devices.wireguard[mode === "separate" ? family : 4];
}

/** The UDP port of that device. */
export function tunnelPort({ mode, listenPorts }: WireguardBackend, family: Family): number {
  return listenPorts[mode === "separate" ? family : 4];
}

/** Public keys of peers that have answered a handshake on every device that has them. */
export function answeredPeers(tunnels: ReadonlyMap<string, Tunnel>): ReadonlySet<string> {
  const answered = new Set<string>();
  const silent = new Set<string>();
  for (const { peers } of tunnels.values())
    for (const [key, { lastHandshakeMs }] of peers) (lastHandshakeMs ? answered : silent).add(key);
  for (const key of silent) answered.delete(key);
  return answered;
}

export function endpointText(endpoint: WireguardEndpoint | undefined): string | undefined {
  return endpoint && formatEndpoint(endpoint.ip, endpoint.port);
}
