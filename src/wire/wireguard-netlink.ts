/** WireGuard in the kernel: generic netlink family `wireguard`, version 1. @see linux/wireguard.h */
import { addressOf, type Cidr, cidrOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, ipFromBytes, ipToBytes } from "#addr/ip";
import { decodeGenl, genlHeader } from "./genetlink.ts";
import { type NlMessage, viewOf } from "./netlink.ts";
import {
  attribute,
  decodeAttributes,
  listAttributes,
  type NlAttributes,
  nest,
  readU8,
  readU16,
  readU64,
  string,
  u8,
  u16,
  u32,
} from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";
import {
  NO_KEY,
  type PeerChange,
  type WireguardChange,
  type WireguardDevice,
  type WireguardEndpoint,
  type WireguardPeer,
} from "./wireguard.ts";
import { keyFromBytes, keyToBytes } from "./wireguard-key.ts";

export const WIREGUARD_FAMILY = "wireguard";
const VERSION = 1;
const COMMAND = { getDevice: 0, setDevice: 1 } as const;
const DEVICE = { name: 2, privateKey: 3, publicKey: 4, flags: 5, listenPort: 6, peers: 8 } as const;
const REPLACE_PEERS = 1;
const PEER = {
  publicKey: 1,
  presharedKey: 2,
  flags: 3,
  endpoint: 4,
  keepalive: 5,
  lastHandshake: 6,
  received: 7,
  sent: 8,
  allowedIps: 9,
} as const;
const REMOVE_PEER = 1;
const REPLACE_ALLOWED_IPS = 2;
const ALLOWED_IP = { family: 1, address: 2, mask: 3 } as const;
const TIMESPEC_BYTES = 16;
const SOCKADDR_BYTES = { 4: 16, 6: 28 } as const;
/** What one request carries at most: far below the 64 KiB an attribute can hold, and what the kernel copies at once. */
const REQUEST_BYTES = 16 << 10;

/** The body of a dump of the device `name`. */
export function encodeDeviceQuery(name: string): Uint8Array[] {
  return [genlHeader(COMMAND.getDevice, VERSION), string(DEVICE.name, name)];
}

/** What one message of a dump says. A device with many peers comes in several, and a peer with many networks too. */
export interface DevicePart {
  readonly publicKey: string | undefined;
  readonly listenPort: number | undefined;
  readonly peers: readonly WireguardPeer[];
}

/** @throws {WireError} */
export function decodeDevicePart(message: Pick<NlMessage, "payload">): DevicePart {
  const { attributes } = decodeGenl(message);
  const publicKey = attributes.get(DEVICE.publicKey);
  return {
    publicKey: publicKey && keyFromBytes(publicKey),
    listenPort: readU16(attributes, DEVICE.listenPort),
    peers: itemsOf(attributes, DEVICE.peers).map(decodePeer),
  };
}

/** The device that a dump's messages tell of. A peer's later parts have its key and networks only. */
export function mergeDevice(parts: readonly DevicePart[]): WireguardDevice {
  const peers = new Map<string, WireguardPeer>();
  for (const peer of parts.flatMap((part) => part.peers)) {
    const known = peers.get(peer.publicKey);
    const whole = known ? { ...known, allowedIps: [...known.allowedIps, ...peer.allowedIps] } : peer;
    peers.set(peer.publicKey, whole);
  }
  return {
    publicKey: parts.find(({ publicKey }) => publicKey !== undefined)?.publicKey,
    listenPort: parts.find(({ listenPort }) => listenPort !== undefined)?.listenPort ?? 0,
    peers: [...peers.values()],
  };
}

/** The bodies of the requests that make `change`, in order. Later ones name the device, and a peer that did not fit whole, but
 *  do not ask for anything to be replaced again. */
export function encodeDeviceChange(name: string, change: WireguardChange): Uint8Array[][] {
  const settings = [
    change.privateKey === undefined ? undefined : attribute(DEVICE.privateKey, keyToBytes(change.privateKey)),
    change.listenPort === undefined ? undefined : u16(DEVICE.listenPort, change.listenPort),
    change.replacesPeers ? u32(DEVICE.flags, REPLACE_PEERS) : undefined,
  ].filter((bytes) => bytes !== undefined);
  const batches = batchesOf((change.peers ?? []).flatMap(encodePeer));
  const [first, ...rest] = batches.length > 0 ? batches : [[]];
  return [deviceRequest(name, settings, first ?? []), ...rest.map((peers) => deviceRequest(name, [], peers))];
}

function deviceRequest(
  name: string,
  settings: readonly Uint8Array[],
  peers: readonly Uint8Array[],
): Uint8Array[] {
  const list = peers.length > 0 ? [nest(DEVICE.peers, ...peers)] : [];
  return [genlHeader(COMMAND.setDevice, VERSION), string(DEVICE.name, name), ...settings, ...list];
}

/** Puts as many peers into each request as fit, in order. */
function batchesOf(peers: readonly Uint8Array[]): Uint8Array[][] {
  const out: Uint8Array[][] = [];
  let room = 0;
  for (const peer of peers) {
    if (peer.length > room) {
      out.push([]);
      room = REQUEST_BYTES;
    }
    out.at(-1)?.push(peer);
    room -= peer.length;
  }
  return out;
}

/** A peer as an item of a list, or as several where its networks are many. The type of an item says nothing. */
function encodePeer(change: PeerChange): Uint8Array[] {
  const key = attribute(PEER.publicKey, keyToBytes(change.publicKey));
  if (change.isRemoved) return [nest(0, key, u32(PEER.flags, REMOVE_PEER))];
  const { endpoint, keepaliveSeconds, allowedIps } = change;
  const settings = [
    key,
    allowedIps && u32(PEER.flags, REPLACE_ALLOWED_IPS),
    "presharedKey" in change
      ? attribute(PEER.presharedKey, keyToBytes(change.presharedKey ?? NO_KEY))
      : undefined,
    endpoint && attribute(PEER.endpoint, encodeEndpoint(endpoint)),
    keepaliveSeconds === undefined ? undefined : u16(PEER.keepalive, keepaliveSeconds),
  ];
  const [first, ...rest] = batchesOf((allowedIps ?? []).map(encodeAllowedIp));
  const list = (items: readonly Uint8Array[] | undefined) => items && nest(PEER.allowedIps, ...items);
  return [nest(0, ...settings, list(first)), ...rest.map((items) => nest(0, key, list(items)))];
}

function encodeAllowedIp(cidr: Cidr): Uint8Array {
  const ip = addressOf(cidr);
  return nest(
    0,
    u16(ALLOWED_IP.family, FAMILY[familyOf(ip)].af),
    attribute(ALLOWED_IP.address, ipToBytes(ip)),
    u8(ALLOWED_IP.mask, prefixLength(cidr)),
  );
}

/** struct sockaddr_in or sockaddr_in6: the family in the machine's order, the port in the network's. */
function encodeEndpoint({ ip, port }: WireguardEndpoint): Uint8Array {
  const family = familyOf(ip);
  const out = new Uint8Array(SOCKADDR_BYTES[family]);
  const view = viewOf(out);
  view.setUint16(0, FAMILY[family].af, true);
  view.setUint16(2, port);
  out.set(ipToBytes(ip), addressAt(family));
  return out;
}

function decodePeer(attributes: NlAttributes): WireguardPeer {
  const publicKey = attributes.get(PEER.publicKey);
  if (publicKey === undefined) throw new WireError("WireGuard peer", "it has no public key");
  const presharedKey = attributes.get(PEER.presharedKey);
  const endpoint = attributes.get(PEER.endpoint);
  const heardMs = handshakeMs(attributes.get(PEER.lastHandshake));
  const at = endpoint && decodeEndpoint(endpoint);
  return {
    publicKey: keyFromBytes(publicKey),
    ...(presharedKey?.some((byte) => byte !== 0) && { presharedKey: keyFromBytes(presharedKey) }),
    ...(at && { endpoint: at }),
    keepaliveSeconds: readU16(attributes, PEER.keepalive) ?? 0,
    allowedIps: itemsOf(attributes, PEER.allowedIps).map(decodeAllowedIp),
    ...(heardMs > 0 && { lastHandshakeMs: heardMs }),
    receivedBytes: readU64(attributes, PEER.received) ?? 0,
    sentBytes: readU64(attributes, PEER.sent) ?? 0,
  };
}

function decodeAllowedIp(attributes: NlAttributes): Cidr {
  const address = attributes.get(ALLOWED_IP.address);
  const mask = readU8(attributes, ALLOWED_IP.mask);
  if ((address?.length !== 4 && address?.length !== 16) || mask === undefined || mask > address.length * 8)
    throw new WireError("WireGuard allowed IP", `${address?.length ?? 0} bytes, mask ${mask ?? "absent"}`);
  return cidrOf(ipFromBytes(address), mask);
}

/** Nothing where the address is of another family: a peer that was never heard from has one of zeroes. */
function decodeEndpoint(bytes: Uint8Array): WireguardEndpoint | undefined {
  if (bytes.length < 2) throw new WireError("WireGuard endpoint", `${bytes.length} bytes`);
  const view = viewOf(bytes);
  const family = ([4, 6] as const).find((each) => FAMILY[each].af === view.getUint16(0, true));
  if (family === undefined) return undefined;
  if (bytes.length < SOCKADDR_BYTES[family])
    throw new WireError("WireGuard endpoint", `${bytes.length} bytes for IPv${family}`);
  const at = addressAt(family);
  return { ip: ipFromBytes(bytes.subarray(at, at + FAMILY[family].bytes)), port: view.getUint16(2) };
}

function addressAt(family: 4 | 6): number {
  return family === 4 ? 4 : 8;
}

/** struct __kernel_timespec: seconds and nanoseconds of 64 bits each. */
function handshakeMs(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0;
  if (bytes.length < TIMESPEC_BYTES) throw new WireError("WireGuard handshake", `${bytes.length} bytes`);
  const view = viewOf(bytes);
  return Number(view.getBigInt64(0, true)) * 1000 + Math.floor(Number(view.getBigInt64(8, true)) / 1e6);
}

/** The attributes of each item of a list. */
function itemsOf(attributes: NlAttributes, type: number): NlAttributes[] {
  const bytes = attributes.get(type);
  return bytes ? listAttributes(bytes).map(([, item]) => decodeAttributes(item)) : [];
}
