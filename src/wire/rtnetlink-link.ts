/** Links: bridge, veth, vxlan and whatever else the kernel lists. @see rtnetlink(7), linux/if_link.h */
import { type Mac, macFromBytes, macToBytes } from "#addr/mac";
import { body, type NlMessage, viewOf } from "./netlink.ts";
import {
  attribute,
  decodeAttributes,
  type NlAttributes,
  nest,
  nested,
  readString,
  readU32,
  string,
  u8,
  u32,
} from "./netlink-attribute.ts";
import { decodeVxlan, encodeVxlan, type VxlanData } from "./rtnetlink-vxlan.ts";
import { WireError } from "./wire-error.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  txQueueLength: 13,
  portInfo: 12,
  linkInfo: 18,
  group: 27,
  netnsFd: 28,
  extMask: 29,
  txQueues: 31,
  rxQueues: 32,
} as const;
const INFO = { kind: 1, data: 2 } as const;
const VETH_PEER = 1;
const BRIDGE_PORT_HAIRPIN = 4;
const AF_BRIDGE = 7;
const IFF = { up: 1, promiscuous: 0x100, allMulticast: 0x200 } as const;
/** Counters make up most of a link's message, and nobody here reads them. */
const SKIP_STATISTICS = 8;
const HEADER_BYTES = 16;
const HEADER = { family: 0, index: 4, flags: 8, change: 12 } as const;
const ETHERNET_BYTES = 6;

/** A link as the kernel lists it. */
export interface LinkMessage {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly isPromiscuous: boolean;
  readonly isAllMulticast: boolean;
  readonly sendQueueLength: number;
  readonly master: number | undefined;
  readonly parent: number | undefined;
  readonly vxlan: VxlanData | undefined;
}

/** What a request may say about a link, new or standing. */
export interface LinkAttributes {
  /** 0 or absent leaves the choice to the kernel, or to `name`. */
  readonly index?: number | undefined;
  readonly name?: string | undefined;
  readonly mtuBytes?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly isUp?: boolean | undefined;
  readonly isPromiscuous?: boolean | undefined;
  readonly isAllMulticast?: boolean | undefined;
  readonly sendQueueLength?: number | undefined;
  readonly master?: number | undefined;
  /** A descriptor of the namespace the link is made in or moves to. */
  readonly netnsFd?: number | undefined;
  /** How many queues a new link has in each direction; absent leaves the choice to the kernel. */
  readonly queues?: number | undefined;
  /** A number that links may share; without index and name a deletion is of all that do. */
  readonly group?: number | undefined;
  readonly info?: LinkInfo | undefined;
}

export type LinkInfo =
  | { readonly kind: "bridge" | "ifb" | "wireguard" }
  | { readonly kind: "vxlan"; readonly vxlan: Partial<VxlanData> }
  | { readonly kind: "veth"; readonly peer: LinkAttributes };

/** The body of RTM_NEWLINK and RTM_SETLINK. */
export function encodeLink(link: LinkAttributes): Uint8Array[] {
  return body(linkHeader(link), linkAttributes(link));
}

/** The body of RTM_SETLINK that changes a bridge port's hairpin mode. */
export function encodeBridgePort(index: number, port: { hairpin: boolean }): Uint8Array[] {
  const header = linkHeader({ index });
  header[HEADER.family] = AF_BRIDGE;
  return body(header, [nest(IFLA.portInfo, u8(BRIDGE_PORT_HAIRPIN, port.hairpin ? 1 : 0))]);
}

/** The body of RTM_GETLINK for one link, by index or name, or for a dump of all. */
export function encodeLinkQuery(which: { index?: number; name?: string } = {}): Uint8Array[] {
  return body(linkHeader(which), [
    which.name === undefined ? undefined : string(IFLA.name, which.name),
    u32(IFLA.extMask, SKIP_STATISTICS),
  ]);
}

/** Reads RTM_NEWLINK. @throws {WireError} */
export function decodeLink({ payload }: NlMessage): LinkMessage {
  if (payload.length < HEADER_BYTES) throw new WireError("link", `${payload.length} bytes`);
  const view = viewOf(payload);
  const flags = view.getUint32(HEADER.flags, true);
  const attributes = decodeAttributes(payload.subarray(HEADER_BYTES));
  const info = nested(attributes, IFLA.linkInfo);
  const kind = readString(info, INFO.kind) ?? "";
  const vxlan = kind === "vxlan" ? decodeVxlan(nested(info, INFO.data)) : undefined;
  return {
    index: view.getInt32(HEADER.index, true),
    name: readString(attributes, IFLA.name) ?? "",
    kind,
    mac: readMac(attributes),
    mtuBytes: readU32(attributes, IFLA.mtu) ?? 0,
    isUp: (flags & IFF.up) !== 0,
    isPromiscuous: (flags & IFF.promiscuous) !== 0,
    isAllMulticast: (flags & IFF.allMulticast) !== 0,
    sendQueueLength: readU32(attributes, IFLA.txQueueLength) ?? 0,
    master: readU32(attributes, IFLA.master),
    // A vxlan names its underlay among its own settings only.
    parent: readU32(attributes, IFLA.link) || vxlan?.underlay || undefined,
    vxlan,
  };
}

function linkHeader({ index = 0, isUp, isPromiscuous, isAllMulticast }: LinkAttributes): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOf(header);
  view.setInt32(HEADER.index, index, true);
  const wishes = [
    [isUp, IFF.up],
    [isPromiscuous, IFF.promiscuous],
    [isAllMulticast, IFF.allMulticast],
  ] as const;
  const bits = (want: boolean) => wishes.reduce((sum, [wish, bit]) => (wish === want ? sum | bit : sum), 0);
  view.setUint32(HEADER.flags, bits(true), true);
  view.setUint32(HEADER.change, bits(true) | bits(false), true);
  return header;
}

function linkAttributes(link: LinkAttributes): (Uint8Array | undefined)[] {
  return [
    link.name === undefined ? undefined : string(IFLA.name, link.name),
    link.mtuBytes === undefined ? undefined : u32(IFLA.mtu, link.mtuBytes),
    link.mac === undefined ? undefined : attribute(IFLA.address, macToBytes(link.mac)),
    link.master === undefined ? undefined : u32(IFLA.master, link.master),
    link.netnsFd === undefined ? undefined : u32(IFLA.netnsFd, link.netnsFd),
    link.sendQueueLength === undefined ? undefined : u32(IFLA.txQueueLength, link.sendQueueLength),
    link.group === undefined ? undefined : u32(IFLA.group, link.group),
    link.queues === undefined ? undefined : u32(IFLA.txQueues, link.queues),
    link.queues === undefined ? undefined : u32(IFLA.rxQueues, link.queues),
    link.info === undefined ? undefined : linkInfo(link.info),
  ];
}

function linkInfo(info: LinkInfo): Uint8Array {
  return nest(IFLA.linkInfo, string(INFO.kind, info.kind), infoData(info));
}

function infoData(info: LinkInfo): Uint8Array | undefined {
  switch (info.kind) {
    case "bridge":
    case "ifb":
    case "wireguard":
      return undefined;
    case "vxlan":
      return nest(INFO.data, ...encodeVxlan(info.vxlan));
    case "veth":
      return nest(INFO.data, nest(VETH_PEER, linkHeader(info.peer), ...linkAttributes(info.peer)));
    default:
      return info satisfies never;
  }
}

/** Tunnels have link addresses of other lengths (an IP address, say), which are no MACs. */
function readMac(attributes: NlAttributes): Mac | undefined {
  const bytes = attributes.get(IFLA.address);
  return bytes?.length === ETHERNET_BYTES ? macFromBytes(bytes) : undefined;
}
