import type { IpPrefix } from "#addr/cidr";
import { endpointText, type Tunnel, type TunnelChange, type TunnelPeer } from "./tunnel.ts";

/** What is to change of a peer; what is left out stays. */
export type TunnelPeerChange = Partial<
  Pick<TunnelPeer, "endpoint" | "keepaliveSeconds" | "presharedKey" | "allowedIps">
>;

export type WireguardOp =
  /** With its key and port, up; without addresses and peers. */
  | { readonly op: "add-tunnel"; readonly tunnel: Tunnel }
  | { readonly op: "change-tunnel"; readonly name: string; readonly change: TunnelChange }
  | { readonly op: "delete-tunnel"; readonly name: string }
  | {
      readonly op: "add-tunnel-address" | "delete-tunnel-address";
      readonly name: string;
      readonly address: IpPrefix;
    }
  | {
      readonly op: "set-tunnel-peers";
      readonly name: string;
      readonly peers: ReadonlyMap<string, TunnelPeerChange>;
    }
  | { readonly op: "delete-tunnel-peers"; readonly name: string; readonly keys: readonly string[] };

type Tunnels = ReadonlyMap<string, Tunnel>;

/** What comes before a packet is sent there: the device, its addresses and its peers. A device that fits is never made anew; a
 *  subnet that another peer had moves with the peer that is set. */
export function planTunnels(want: Tunnels, known: Tunnels): readonly WireguardOp[] {
  return [...want.values()].flatMap((tunnel) => {
    const { name } = tunnel;
    const standing = known.get(name);
    const kept = standing?.isForeign ? undefined : standing;
    const replaced: WireguardOp[] = standing && !kept ? [{ op: "delete-tunnel", name }] : [];
    const made: WireguardOp[] = kept ? planDevice(tunnel, kept) : [{ op: "add-tunnel", tunnel }];
    return [...replaced, ...made, ...planAddresses(tunnel, kept), ...planPeers(tunnel, kept)];
  });
}

/** What goes once nothing leads there any more: peers, and devices. */
export function planTunnelEnds(want: Tunnels, known: Tunnels): readonly WireguardOp[] {
  return [...known.values()].flatMap(({ name, peers, isForeign }): readonly WireguardOp[] => {
    const wanted = want.get(name);
    if (!wanted) return [{ op: "delete-tunnel", name }];
    const keys = isForeign ? [] : [...peers.keys()].filter((key) => !wanted.peers.has(key));
    return keys.length > 0 ? [{ op: "delete-tunnel-peers", name, keys }] : [];
  });
}

/** Devices that are made, or made anew: routes on them are gone, or will be. */
export function rebuiltTunnels(want: Tunnels, known: Tunnels): ReadonlySet<string> {
  return new Set(
    [...want.keys()].filter((name) => known.get(name)?.isForeign !== undefined || !known.has(name)),
  );
}

function planDevice(want: Tunnel, known: Tunnel): WireguardOp[] {
  const change: { -readonly [K in keyof TunnelChange]: TunnelChange[K] } = {};
  if (want.publicKey !== undefined && want.publicKey !== known.publicKey) change.publicKey = want.publicKey;
  if (want.listenPort !== known.listenPort) change.listenPort = want.listenPort;
  if (want.mtuBytes !== known.mtuBytes) change.mtuBytes = want.mtuBytes;
  if (want.isUp !== known.isUp) change.isUp = want.isUp;
  return Object.keys(change).length === 0 ? [] : [{ op: "change-tunnel", name: want.name, change }];
}

function planAddresses({ name, addresses }: Tunnel, known: Tunnel | undefined): readonly WireguardOp[] {
  const had = known?.addresses ?? [];
  const [fresh, gone] = [
    addresses.filter((address) => !had.includes(address)),
    had.filter((address) => !addresses.includes(address)),
  ];
  return [
    ...fresh.map((address) => ({ op: "add-tunnel-address", name, address }) as const),
    ...gone.map((address) => ({ op: "delete-tunnel-address", name, address }) as const),
  ];
}

function planPeers({ name, peers }: Tunnel, known: Tunnel | undefined): readonly WireguardOp[] {
  const changes = [...peers].flatMap(([key, want]) => {
    const change = peerChange(want, known?.peers.get(key));
    return change ? [[key, change] as const] : [];
  });
  return changes.length > 0 ? [{ op: "set-tunnel-peers", name, peers: new Map(changes) }] : [];
}

function peerChange(want: TunnelPeer, known: TunnelPeer | undefined): TunnelPeerChange | undefined {
  const { endpoint, keepaliveSeconds, presharedKey, allowedIps } = want;
  if (!known)
    return {
      endpoint,
      keepaliveSeconds,
      allowedIps,
      ...(presharedKey !== undefined && { presharedKey }),
    };
  const change: TunnelPeerChange = {
    ...(isElsewhere(want, known) && { endpoint }),
    ...(keepaliveSeconds !== known.keepaliveSeconds && { keepaliveSeconds }),
    ...(presharedKey !== known.presharedKey && { presharedKey }),
    ...(!sameMembers(allowedIps, known.allowedIps) && { allowedIps }),
  };
  return Object.keys(change).length === 0 ? undefined : change;
}

/** A peer that is heard is where it is heard from, until its Node says something new. */
function isElsewhere(want: TunnelPeer, known: TunnelPeer): boolean {
  if (endpointText(want.endpoint) === endpointText(known.endpoint)) return false;
  return want.isMoved === true || !known.isHeard;
}

function sameMembers<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}
