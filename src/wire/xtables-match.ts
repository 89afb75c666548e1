/** What the extensions of iptables that firewalls use say, out of their own bytes, which are the same in the old tables and
 *  in nftables. Numbers are in the host's order, little-endian. @see linux/netfilter/xt_*.h */
import { textOf } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

export type XtRange = readonly [low: number, high: number];

export type XtMatch =
  | { readonly kind: "comment"; readonly text: string }
  | {
      readonly kind: "ports";
      readonly protocol: 6 | 17;
      readonly source: XtRange;
      readonly destination: XtRange;
      readonly invertsSource: boolean;
      readonly invertsDestination: boolean;
      /** Looks at TCP's flags or options too. */
      readonly more: boolean;
    }
  /** One of several ports, of the sender's side, of the receiver's, or of either. */
  | {
      readonly kind: "port-list";
      readonly side: "source" | "destination" | "either";
      readonly ranges: readonly XtRange[];
      readonly inverted: boolean;
    }
  /** States as bits: invalid 1, established 2, related 4, new 8, untracked 64. */
  | { readonly kind: "state"; readonly states: number; readonly inverted: boolean }
  /** Kinds of address as bits by `RTN_*`: unicast 1, local 2, broadcast 3, multicast 5. */
  | {
      readonly kind: "address-type";
      readonly source: number;
      readonly destination: number;
      readonly invertsSource: boolean;
      readonly invertsDestination: boolean;
    }
  | { readonly kind: "other"; readonly name: string };

const CONNTRACK = { matches: 146, inverts: 148, states: 150 } as const;
const CONNTRACK_STATE = 1;
/** The same asked as `-m state`; it changes nothing but how it is printed. */
const CONNTRACK_ALIAS = 1 << 13;
/** "Translated" in the kernel's state bits; not among the four that nftables has too. */
const STATE_BITS = 0x4f;
const MULTIPORT_LISTED = 15;

/** @throws {WireError} when there are fewer bytes than the extension has */
export function decodeXtMatch(name: string, revision: number, info: Uint8Array): XtMatch {
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  const other: XtMatch = { kind: "other", name };
  try {
    switch (name) {
      case "comment":
        return { kind: "comment", text: textOf(info) };
      case "tcp":
        return ports(view, 6);
      case "udp":
        return ports(view, 17);
      case "multiport":
        return revision === 1 ? portList(view) : other;
      case "state":
        return { kind: "state", states: view.getUint32(0, true), inverted: false };
      case "conntrack":
        return (revision === 2 || revision === 3 ? state(view) : undefined) ?? other;
      case "addrtype":
        return addressType(view, revision) ?? other;
      default:
        return other;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new WireError(`iptables match "${name}"`, `${info.length} bytes are too few`);
  }
}

function ports(view: DataView, protocol: 6 | 17): XtMatch {
  const at = (offset: number) => view.getUint16(offset, true);
  const inverts = view.getUint8(protocol === 6 ? 11 : 8);
  // TCP: option, mask of flags, flags.
  const more = protocol === 6 && (view.getUint8(8) !== 0 || view.getUint8(9) !== 0 || (inverts & 0x0c) !== 0);
  return {
    kind: "ports",
    protocol,
    source: [at(0), at(2)],
    destination: [at(4), at(6)],
    invertsSource: (inverts & 1) !== 0,
    invertsDestination: (inverts & 2) !== 0,
    more,
  };
}

function portList(view: DataView): XtMatch {
  const side = (["source", "destination", "either"] as const)[view.getUint8(0)];
  const count = Math.min(view.getUint8(1), MULTIPORT_LISTED);
  if (side === undefined) return { kind: "other", name: "multiport" };
  const ranges: XtRange[] = [];
  for (let i = 0; i < count; i++) {
    const low = view.getUint16(2 + i * 2, true);
    const goesOn = view.getUint8(2 + MULTIPORT_LISTED * 2 + i) !== 0;
    const high = goesOn && i + 1 < count ? view.getUint16(2 + ++i * 2, true) : low;
    ranges.push([low, high]);
  }
  return { kind: "port-list", side, ranges, inverted: view.getUint8(2 + MULTIPORT_LISTED * 3) !== 0 };
}

function state(view: DataView): XtMatch | undefined {
  if ((view.getUint16(CONNTRACK.matches, true) & ~CONNTRACK_ALIAS) !== CONNTRACK_STATE) return undefined;
  const states = view.getUint16(CONNTRACK.states, true);
  const inverted = (view.getUint16(CONNTRACK.inverts, true) & CONNTRACK_STATE) !== 0;
  return (states & ~STATE_BITS) === 0 ? { kind: "state", states, inverted } : undefined;
}

function addressType(view: DataView, revision: number): XtMatch | undefined {
  const [source, destination] = [view.getUint16(0, true), view.getUint16(2, true)];
  const flags = view.getUint32(4, true);
  const inverts = revision === 0 ? (flags !== 0 ? 1 : 0) | (view.getUint32(8, true) !== 0 ? 2 : 0) : flags;
  // Flags 4 and 8 look at one interface's addresses only.
  if (revision > 1 || (inverts & 0x0c) !== 0) return undefined;
  return {
    kind: "address-type",
    source,
    destination,
    invertsSource: (inverts & 1) !== 0,
    invertsDestination: (inverts & 2) !== 0,
  };
}
