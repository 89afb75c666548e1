import type { Cidr } from "#addr/cidr";
import { Fault } from "#fault/fault";
import { publicKeyOf } from "#wire/wireguard-key";
import type { PeerChange, Wireguard, WireguardChange, WireguardDevice, WireguardPeer } from "../kernel.ts";
import { noWireguard } from "../wireguard/no-wireguard.ts";
import { refusal } from "./faults.ts";
import type { FakeNamespace } from "./namespace.ts";

export type FakeCarrier = ReturnType<Wireguard["carrier"]>;

interface Device {
  publicKey: string | undefined;
  listenPort: number;
  readonly peers: Map<string, WireguardPeer>;
}

const KINDS = { kernel: "wireguard", userspace: "tun" } as const;
const MTU_BYTES = 1420;
const FIRST_RANDOM_PORT = 40_000;

/** WireGuard devices in memory: no packet passes and no peer answers, unless a test says so. */
export class FakeWireguard implements Wireguard {
  readonly #here: FakeNamespace;
  readonly #devices = new Map<number, Device>();
  /** What this machine has; a test may change its mind. */
  has: FakeCarrier = "kernel";

  constructor(here: FakeNamespace) {
    this.#here = here;
  }

  carrier(): FakeCarrier {
    return this.has;
  }

  read(name: string): WireguardDevice | undefined {
    const device = this.#find(name);
    return device && { ...device, peers: [...device.peers.values()] };
  }

  configure(name: string, change: WireguardChange): void {
    const op = `configure WireGuard device ${name}`;
    const device = this.#find(name);
    if (!device) throw new Fault("ENODEV", `Cannot ${op}: no such device`);
    if (change.listenPort !== undefined) this.#listen(device, change.listenPort, op);
    if (change.privateKey !== undefined) device.publicKey = publicKeyOf(change.privateKey);
    if (change.replacesPeers) device.peers.clear();
    for (const peer of change.peers ?? []) changePeer(device, peer);
    // A device does not speak to itself.
    if (device.publicKey !== undefined) device.peers.delete(device.publicKey);
  }

  start(name: string): void {
    if (this.#find(name)) return;
    if (this.#here.findLink(name)) throw refusal(`add wireguard link ${name}`, "EEXIST");
    if (this.has === "none") throw noWireguard(name);
    const facts = { name, kind: KINDS[this.has], mac: undefined, mtuBytes: MTU_BYTES };
    const { index } = this.#here.adopt(facts);
    this.#devices.set(index, { publicKey: undefined, listenPort: 0, peers: new Map() });
  }

  remove(name: string): void {
    const link = this.#here.findLink(name);
    if (!link) return;
    this.#here.links.delete(link.index);
    this.#here.purge(link.index, { addresses: () => true, fdb: true });
    this.#devices.delete(link.index);
  }

  /** The peer has answered a handshake at `atMs`. */
  hear(name: string, publicKey: string, atMs: number): void {
    const device = this.#find(name);
    const peer = device?.peers.get(publicKey);
    if (!device || !peer) throw new Error(`broken invariant: ${name} has no peer ${publicKey}`);
    device.peers.set(publicKey, { ...peer, lastHandshakeMs: atMs });
  }

  [Symbol.dispose](): void {}

  #find(name: string): Device | undefined {
    const link = this.#here.findLink(name);
    return link && this.#devices.get(link.index);
  }

  #listen(device: Device, port: number, op: string): void {
    const others = [...this.#devices].filter(([index]) => this.#here.links.has(index));
    const isTaken = others.some(([, other]) => other !== device && other.listenPort === port);
    if (port !== 0 && isTaken) throw new Fault("EADDRINUSE", `Cannot ${op}: port ${port} is taken`);
    device.listenPort = port === 0 ? FIRST_RANDOM_PORT + this.#devices.size : port;
  }
}

function changePeer(device: Device, change: PeerChange): void {
  const { publicKey } = change;
  if (change.isRemoved) {
    device.peers.delete(publicKey);
    return;
  }
  const { allowedIps, endpoint, keepaliveSeconds } = change;
  if (allowedIps) for (const cidr of allowedIps) disallow(device, cidr);
  const fresh: WireguardPeer = {
    publicKey,
    keepaliveSeconds: 0,
    allowedIps: [],
    receivedBytes: 0,
    sentBytes: 0,
  };
  const { presharedKey: standing, ...known } = device.peers.get(publicKey) ?? fresh;
  const presharedKey = "presharedKey" in change ? change.presharedKey : standing;
  device.peers.set(publicKey, {
    ...known,
    ...(presharedKey !== undefined && { presharedKey }),
    ...(endpoint && { endpoint }),
    ...(keepaliveSeconds !== undefined && { keepaliveSeconds }),
    ...(allowedIps && { allowedIps: [...new Set(allowedIps)] }),
  });
}

/** A network is one peer's: it leaves the one that has it. */
function disallow(device: Device, cidr: Cidr): void {
  for (const [key, peer] of device.peers)
    device.peers.set(key, { ...peer, allowedIps: peer.allowedIps.filter((other) => other !== cidr) });
}
