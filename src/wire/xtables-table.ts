/** A table of the old iptables as its socket options carry it: rules behind each other, each a fixed part, matches and a
 *  target, and jumps as distances from the first. Layouts are those of 64-bit kernels.
 *  @see linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h */
import type { Family } from "#addr/family";
import { textOf } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

export const XT_HOOKS = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"] as const;
export type XtHook = (typeof XT_HOOKS)[number];

/** `hookEntries` and `underflows` by the hook's number: where its chain begins, and its policy's rule. */
export interface XtTableInfo {
  readonly name: string;
  readonly validHooks: number;
  readonly hookEntries: readonly number[];
  readonly underflows: readonly number[];
  readonly entries: number;
  readonly bytes: number;
}

export interface XtExtension {
  readonly name: string;
  readonly revision: number;
  readonly data: Uint8Array;
}

/** One rule. `offset` is its place from the first rule. */
export interface XtEntry {
  readonly offset: number;
  /** All of it, as it stands in the table. */
  readonly bytes: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourceMask: Uint8Array;
  readonly destinationMask: Uint8Array;
  readonly inInterface: Uint8Array;
  readonly outInterface: Uint8Array;
  readonly inMask: Uint8Array;
  readonly outMask: Uint8Array;
  /** 0 for any. */
  readonly protocol: number;
  readonly isFragmentOnly: boolean;
  readonly isGoto: boolean;
  readonly inverts: number;
  readonly matches: readonly XtExtension[];
  readonly target: XtExtension;
}

export const XT_INVERTS = { in: 1, out: 2, source: 8, destination: 0x10, protocol: 0x40 } as const;
export const INFO_BYTES = 84;
const NAME_BYTES = 32;
export const XT_EXTENSION_BYTES = 32;
const IFNAME_BYTES = 16;

interface Layout {
  readonly address: number;
  readonly protocol: number;
  readonly flags: number;
  readonly inverts: number;
  readonly targetOffset: number;
  readonly counters: number;
  readonly end: number;
  readonly gotoFlag: number;
  readonly fragmentFlag: number;
}

export const XT_LAYOUT: Readonly<Record<Family, Layout>> = {
  4: {
    address: 4,
    protocol: 80,
    flags: 82,
    inverts: 83,
    targetOffset: 88,
    counters: 96,
    end: 112,
    gotoFlag: 2,
    fragmentFlag: 1,
  },
  6: {
    address: 16,
    protocol: 128,
    flags: 131,
    inverts: 132,
    targetOffset: 140,
    counters: 152,
    end: 168,
    gotoFlag: 4,
    fragmentFlag: 0,
  },
};

/** Reads `struct ipt_getinfo`. @throws {WireError} */
export function decodeTableInfo(bytes: Uint8Array): XtTableInfo {
  if (bytes.length < INFO_BYTES) throw new WireError("iptables table", `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const five = (at: number) => XT_HOOKS.map((_, i) => view.getUint32(at + 4 * i, true));
  return {
    name: textOf(bytes.subarray(0, NAME_BYTES)),
    validHooks: view.getUint32(32, true),
    hookEntries: five(36),
    underflows: five(56),
    entries: view.getUint32(76, true),
    bytes: view.getUint32(80, true),
  };
}

/** Reads the rules of a table. @throws {WireError} */
export function decodeEntries(family: Family, bytes: Uint8Array): readonly XtEntry[] {
  const layout = XT_LAYOUT[family];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: XtEntry[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    if (bytes.length - offset < layout.end + XT_EXTENSION_BYTES)
      throw new WireError("iptables rule", `${bytes.length - offset} bytes at ${offset}`);
    const next = view.getUint16(offset + layout.targetOffset + 2, true);
    if (next < layout.end + XT_EXTENSION_BYTES || next > bytes.length - offset)
      throw new WireError("iptables rule", `length ${next} at ${offset} of ${bytes.length}`);
    out.push(decodeEntry(layout, offset, bytes.subarray(offset, offset + next)));
    offset += next;
  }
  return out;
}

function decodeEntry(layout: Layout, offset: number, bytes: Uint8Array): XtEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const targetAt = view.getUint16(layout.targetOffset, true);
  if (targetAt < layout.end || targetAt + XT_EXTENSION_BYTES > bytes.length)
    throw new WireError("iptables rule", `target at ${targetAt} of ${bytes.length} bytes`);
  const address = (i: number) => bytes.slice(i * layout.address, (i + 1) * layout.address);
  const names = layout.address * 4;
  const name = (i: number) => bytes.slice(names + i * IFNAME_BYTES, names + (i + 1) * IFNAME_BYTES);
  const flags = view.getUint8(layout.flags);
  return {
    offset,
    bytes,
    source: address(0),
    destination: address(1),
    sourceMask: address(2),
    destinationMask: address(3),
    inInterface: name(0),
    outInterface: name(1),
    inMask: name(2),
    outMask: name(3),
    protocol: view.getUint16(layout.protocol, true),
    isFragmentOnly: (flags & layout.fragmentFlag) !== 0,
    isGoto: (flags & layout.gotoFlag) !== 0,
    inverts: view.getUint8(layout.inverts),
    matches: decodeMatches(bytes.subarray(layout.end, targetAt)),
    target: decodeExtension(bytes.subarray(targetAt)),
  };
}

function decodeMatches(bytes: Uint8Array): XtExtension[] {
  const out: XtExtension[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    const size = left < XT_EXTENSION_BYTES ? 0 : (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    if (size < XT_EXTENSION_BYTES || size > left)
      throw new WireError("iptables match", `length ${size} of ${left} bytes`);
    out.push(decodeExtension(bytes.subarray(at, at + size)));
    at += size;
  }
  return out;
}

/** A match or a target: u16 size, name of 29 bytes, revision, its own bytes. */
function decodeExtension(bytes: Uint8Array): XtExtension {
  return {
    name: textOf(bytes.subarray(2, 31)),
    revision: bytes[31] ?? 0,
    data: bytes.slice(XT_EXTENSION_BYTES),
  };
}
