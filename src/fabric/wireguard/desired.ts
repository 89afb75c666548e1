import { addressOf, type Cidr, hostCidr, type IpPrefix, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import type { WireguardEnd } from "#wire/flannel-annotations";
import { type KindsInput, offeredKinds } from "../kinds.ts";
import type { Path, WireguardBackend } from "../model.ts";
import { WIREGUARD_MARGIN_BYTES } from "../overhead.ts";
import type { PathChoice } from "../paths.ts";
import { chooseEnd } from "./endpoint.ts";
import {
  endpointText,
  type Tunnel,
  type TunnelPeer,
  tunnelName,
  tunnelPort,
  wireguardSettings,
} from "./tunnel.ts";

/** A peer that has never answered is called on until it does, whether or not anybody sends to its pods: packets take this way
 *  only then. */
const CALLING_SECONDS = 25;

type WireguardWay = Extract<Path, { kind: "wireguard" }>;

/** The devices, each with the peers that it is a way to. Made whether or not packets take that way yet, for a way is taken once
 *  the peer has answered there. */
export function desiredTunnels(
  input: KindsInput,
  { ways }: Pick<PathChoice, "ways">,
): ReadonlyMap<string, Tunnel> {
  const { snapshot, config, ground } = input;
  // Who has not heard yet that this node needs it no more still sends that way: so it stays as it is, peers and all.
  if (!offeredKinds(input).has("wireguard"))
    return ground.lingering.has("wireguard") ? ground.tunnels : new Map();
  const settings = wireguardSettings(config);
  const families = FAMILIES.filter((family) => snapshot.lease.podCidrs[family] !== undefined);
  const names = new Set(families.map((family) => tunnelName(settings, family)));
  const nodes = Map.groupBy(
    ways.filter((way) => way.kind === "wireguard"),
    ({ node }) => node,
  );
  return new Map(
    [...names].map((name) => {
      const carried = families.filter((family) => tunnelName(settings, family) === name);
      const peers = [...nodes.values()].flatMap((all) => peerOf(name, carried, all, input));
      return [name, { ...deviceOf(name, carried, settings, input), peers: byKey(peers) }] as const;
    }),
  );
}

/** Two Nodes with one key are one machine, with the subnets of both. */
function byKey(peers: readonly (readonly [string, TunnelPeer])[]): ReadonlyMap<string, TunnelPeer> {
  const merged = new Map<string, TunnelPeer>();
  for (const [key, peer] of peers) {
    const first = merged.get(key);
    const whole = first && { ...first, allowedIps: [...first.allowedIps, ...peer.allowedIps] };
    merged.set(key, whole ?? peer);
  }
  return merged;
}

function deviceOf(
  name: string,
  families: readonly Family[],
  settings: WireguardBackend,
  { snapshot, ground }: KindsInput,
): Omit<Tunnel, "peers"> {
  const [first = 4] = families;
  const links = families.flatMap((family) => ground.underlays[family]?.mtuBytes ?? []);
  return {
    name,
    publicKey: ground.publicKey,
    listenPort: tunnelPort(settings, first),
    mtuBytes: settings.mtuBytes ?? Math.min(...links) - WIREGUARD_MARGIN_BYTES,
    isUp: true,
    addresses: families.flatMap((family) => baseOf(snapshot.lease.podCidrs[family])),
  };
}

/** The subnet's own address alone. */
function baseOf(podCidr: Cidr | undefined): readonly IpPrefix[] {
  if (podCidr === undefined) return [];
  const base = addressOf(podCidr);
  return [ipPrefixOf(base, prefixLength(hostCidr(base)))];
}

/** A node as a peer of the device that carries `families`. */
function peerOf(
  name: string,
  families: readonly Family[],
  all: readonly WireguardWay[],
  { ground, config }: KindsInput,
): readonly (readonly [string, TunnelPeer])[] {
  const settings = wireguardSettings(config);
  const ways = all.filter(({ family }) => families.includes(family));
  const ends: PerFamily<WireguardEnd> = Object.fromEntries(ways.map(({ family, end }) => [family, end]));
  const end = settings.mode === "separate" ? ways[0]?.end : chooseEnd(settings.mode, ends, ground);
  // A node that shows our own key is us under another name, or lies; WireGuard would not take it.
  if (end === undefined || end.publicKey === ground.publicKey) return [];
  const endpoint = { ip: end.publicIp, port: end.port ?? tunnelPort(settings, families[0] ?? 4) };
  const before = ground.endpoints.get(`${name} ${end.publicKey}`);
  return [
    [
      end.publicKey,
      {
        endpoint,
        keepaliveSeconds:
          settings.keepaliveSeconds || (ground.answered.has(end.publicKey) ? 0 : CALLING_SECONDS),
        presharedKey: settings.presharedKey,
        allowedIps: ways.map(({ podCidr }) => podCidr),
        isMoved: before !== undefined && before !== endpointText(endpoint),
      },
    ],
  ];
}

/** Where each peer of each device is wanted to be sent to, for the next round to tell whether one has moved. */
export function wantedEndpoints(tunnels: ReadonlyMap<string, Tunnel>): ReadonlyMap<string, string> {
  return new Map(
    [...tunnels.values()].flatMap(({ name, peers }) =>
      [...peers].flatMap(([key, { endpoint }]) => {
        const text = endpointText(endpoint);
        return text === undefined ? [] : [[`${name} ${key}`, text] as const];
      }),
    ),
  );
}
