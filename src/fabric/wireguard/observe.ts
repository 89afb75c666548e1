import { addressOf } from "#addr/cidr";
import { isLinkLocal } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Link, NetKernel, WireguardPeer } from "#kernel/kernel";
import type { Tunnel, TunnelPeer } from "./tunnel.ts";

/** For as long a session lives after a handshake. @see https://www.wireguard.com/papers/wireguard.pdf, section 6.1 */
const SESSION_MS = 180_000;

/** What stands of our devices, whoever made them. `nowMs` is since the epoch. */
export function observeTunnels(
  kernel: Pick<NetKernel, "netlink" | "wireguard">,
  { nowMs }: { nowMs: number },
): ReadonlyMap<string, Tunnel> {
  const { netlink } = kernel;
  const links = Object.values(CLAIMS.devices.wireguard).flatMap((name) => netlink.findLink(name) ?? []);
  const addresses = links.length > 0 ? netlink.listAddresses() : [];
  return new Map(
    links.map((link) => {
      const own = addresses.filter((row) => row.link === link.index).map(({ address }) => address);
      const standing = observeDevice(kernel, link, nowMs);
      return [
        link.name,
        { ...standing, addresses: own.filter((address) => !isLinkLocal(addressOf(address))) },
      ] as const;
    }),
  );
}

function observeDevice(
  { wireguard }: Pick<NetKernel, "wireguard">,
  { name, mtuBytes, isUp }: Link,
  nowMs: number,
): Omit<Tunnel, "addresses"> {
  const device = wireguard.read(name);
  if (!device)
    return { name, mtuBytes, isUp, publicKey: undefined, listenPort: 0, peers: new Map(), isForeign: true };
  const { publicKey, listenPort } = device;
  const peers = device.peers.map((peer) => [peer.publicKey, observePeer(peer, nowMs)] as const);
  return { name, mtuBytes, isUp, publicKey, listenPort, peers: new Map(peers) };
}

function observePeer(peer: WireguardPeer, nowMs: number): TunnelPeer {
  const { endpoint, keepaliveSeconds, presharedKey, allowedIps, lastHandshakeMs } = peer;
  return {
    endpoint,
    keepaliveSeconds,
    presharedKey,
    allowedIps,
    ...(lastHandshakeMs !== undefined && { lastHandshakeMs }),
    isHeard: lastHandshakeMs !== undefined && nowMs - lastHandshakeMs < SESSION_MS,
  };
}
