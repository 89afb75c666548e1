import { Fault, isFault } from "#fault/fault";
import type { NetKernel, PeerChange } from "#kernel/kernel";
import { hardenDevice } from "../harden-device.ts";
import type { TunnelPeerChange, WireguardOp } from "./plan.ts";
import type { Tunnel, TunnelChange, TunnelPeer } from "./tunnel.ts";

type Kernel = Pick<NetKernel, "netlink" | "wireguard" | "sysctl">;

/** The WireGuard devices together with what is true of them: each operation changes both, or throws and changes neither. */
export class TunnelWorld {
  readonly #kernel: Kernel;
  readonly #tunnels: Map<string, Tunnel>;
  readonly #privateKey: string | undefined;

  /** `privateKey` is this node's own, where it is to be set. */
  constructor(kernel: Kernel, known: ReadonlyMap<string, Tunnel>, privateKey: string | undefined) {
    this.#kernel = kernel;
    this.#tunnels = new Map(known);
    this.#privateKey = privateKey;
  }

  get tunnels(): ReadonlyMap<string, Tunnel> {
    return this.#tunnels;
  }

  apply(op: WireguardOp): void {
    switch (op.op) {
      case "add-tunnel":
        this.#add(op.tunnel);
        break;
      case "change-tunnel":
        this.#change(op.name, op.change);
        break;
      case "delete-tunnel":
        this.#kernel.wireguard.remove(op.name);
        this.#tunnels.delete(op.name);
        break;
      case "add-tunnel-address":
        this.#kernel.netlink.addAddress(this.#index(op.name), op.address, { noDad: true });
        this.#keep(op.name, ({ addresses }) => ({ addresses: [...addresses, op.address] }));
        break;
      case "delete-tunnel-address":
        this.#kernel.netlink.deleteAddress(this.#index(op.name), op.address);
        this.#keep(op.name, ({ addresses }) => ({
          addresses: addresses.filter((standing) => standing !== op.address),
        }));
        break;
      case "set-tunnel-peers":
        this.#setPeers(op.name, op.peers);
        break;
      case "delete-tunnel-peers":
        this.#deletePeers(op.name, op.keys);
        break;
      default:
        op satisfies never;
    }
  }

  #add(tunnel: Tunnel): void {
    const { name, publicKey, listenPort, mtuBytes } = tunnel;
    this.#kernel.wireguard.start(name);
    hardenDevice(this.#kernel, name);
    this.#tunnels.set(name, {
      name,
      publicKey: undefined,
      listenPort: 0,
      mtuBytes: 0,
      isUp: false,
      addresses: [],
      peers: new Map(),
    });
    this.#change(name, { mtuBytes, isUp: true, listenPort, ...(publicKey !== undefined && { publicKey }) });
  }

  /** wireguard-go tells at once that the port is another program's, the kernel when the device is set up. */
  #change(name: string, change: TunnelChange): void {
    try {
      this.#set(name, change);
    } catch (cause) {
      if (!isFault(cause) || cause.code !== "EADDRINUSE") throw cause;
      const port = change.listenPort ?? this.#tunnels.get(name)?.listenPort;
      throw new Fault(
        "PortTaken",
        `Cannot run ${name}: another program or WireGuard device has UDP port ${port}; stop that one or, on all nodes, choose another port (ListenPort of flannel's net-conf.json, see --flannel-conf)`,
        { detail: { name, port }, cause },
      );
    }
    this.#keep(name, () => change);
  }

  /** The key and the port before the link is up, so that no packet meets a half made device. */
  #set(name: string, { publicKey, listenPort, mtuBytes, isUp }: TunnelChange): void {
    if (publicKey !== undefined || listenPort !== undefined)
      this.#kernel.wireguard.configure(name, {
        ...(publicKey !== undefined && { privateKey: this.#ownKey() }),
        ...(listenPort !== undefined && { listenPort }),
      });
    if (mtuBytes !== undefined || isUp !== undefined)
      this.#kernel.netlink.changeLink(this.#index(name), {
        ...(mtuBytes !== undefined && { mtuBytes }),
        ...(isUp !== undefined && { isUp }),
      });
  }

  #setPeers(name: string, changes: ReadonlyMap<string, TunnelPeerChange>): void {
    const peers = [...changes].map(([publicKey, { endpoint, ...rest }]): PeerChange => {
      return { publicKey, ...rest, ...(endpoint && { endpoint }) };
    });
    this.#kernel.wireguard.configure(name, { peers });
    this.#keep(name, (tunnel) => ({ peers: withPeers(tunnel.peers, changes) }));
  }

  #deletePeers(name: string, keys: readonly string[]): void {
    this.#kernel.wireguard.configure(name, {
      peers: keys.map((publicKey) => ({ publicKey, isRemoved: true })),
    });
    this.#keep(name, ({ peers }) => ({ peers: new Map([...peers].filter(([key]) => !keys.includes(key))) }));
  }

  #keep(name: string, change: (tunnel: Tunnel) => Partial<Tunnel>): void {
    const tunnel = this.#tunnels.get(name);
    if (!tunnel) throw noDevice(name);
    this.#tunnels.set(name, { ...tunnel, ...change(tunnel) });
  }

  #index(name: string): number {
    const link = this.#kernel.netlink.findLink(name);
    if (!link) throw noDevice(name);
    return link.index;
  }

  #ownKey(): string {
    if (this.#privateKey === undefined) throw new Error("broken invariant: a device is wanted without a key");
    return this.#privateKey;
  }
}

/** A subnet that a changed peer has now is no other's any more. */
function withPeers(
  standing: ReadonlyMap<string, TunnelPeer>,
  changes: ReadonlyMap<string, TunnelPeerChange>,
): ReadonlyMap<string, TunnelPeer> {
  const moved = new Set([...changes.values()].flatMap(({ allowedIps = [] }) => allowedIps));
  const peers = new Map<string, TunnelPeer>();
  for (const [key, peer] of standing)
    peers.set(key, { ...peer, allowedIps: peer.allowedIps.filter((cidr) => !moved.has(cidr)) });
  const fresh = { endpoint: undefined, keepaliveSeconds: 0, presharedKey: undefined, allowedIps: [] };
  for (const [key, change] of changes) peers.set(key, { ...fresh, ...peers.get(key), ...change });
  return peers;
}

function noDevice(name: string): Fault {
  return new Fault("NoDevice", `Cannot reach peers: no device "${name}"`);
}
