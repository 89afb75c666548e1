/** Sets of nftables with everything that says which values are in them, ends of intervals included.
 *  @see linux/netfilter/nf_tables.h, enum nft_set_attributes, enum nft_set_elem_attributes */
import { decodeAttributes, listAttributes, nested, readU32be } from "./netlink-attribute.ts";
import { afterNfGenMsg } from "./nfnetlink.ts";
import { decodeVerdict, type NftVerdict } from "./nftables-verdict.ts";

export const NFT_MSG_GETSET = 10;
export const SET = { table: 1, name: 2 } as const;
const SET_FLAGS = 3;
const FLAG_INTERVAL = 4;
const ELEMENTS = 3;
const ELEM = { key: 1, data: 2, flags: 3, keyEnd: 10 } as const;
const ELEM_INTERVAL_END = 1;
const ELEM_CATCH_ALL = 2;
const DATA = { value: 1, verdict: 2 } as const;

/** Values from `low` to `high`, ends included, each as the bytes a register holds. */
export interface NftSetRange {
  readonly low: Uint8Array;
  readonly high: Uint8Array;
  /** Of a verdict map. */
  readonly verdict: NftVerdict | undefined;
}

export interface NftSetElement {
  readonly key: Uint8Array;
  readonly keyEnd: Uint8Array | undefined;
  readonly isEnd: boolean;
  readonly isCatchAll: boolean;
  readonly verdict: NftVerdict | undefined;
}

/** Whether the set's elements are starts and ends of intervals. Reads NFT_MSG_NEWSET. @throws {WireError} */
export function decodeIsInterval(payload: Uint8Array): boolean {
  const flags = readU32be(decodeAttributes(afterNfGenMsg(payload).attributes), SET_FLAGS) ?? 0;
  return (flags & FLAG_INTERVAL) !== 0;
}

/** The elements of one message of a dump. @throws {WireError} */
export function decodeSetElements(payload: Uint8Array): NftSetElement[] {
  const list = decodeAttributes(afterNfGenMsg(payload).attributes).get(ELEMENTS);
  return list === undefined ? [] : listAttributes(list).map(([, bytes]) => decodeElement(bytes));
}

function decodeElement(bytes: Uint8Array): NftSetElement {
  const attributes = decodeAttributes(bytes);
  const flags = readU32be(attributes, ELEM.flags) ?? 0;
  const verdict = nested(nested(attributes, ELEM.data), DATA.verdict);
  return {
    key: (nested(attributes, ELEM.key).get(DATA.value) ?? new Uint8Array()).slice(),
    keyEnd: nested(attributes, ELEM.keyEnd).get(DATA.value)?.slice(),
    isEnd: (flags & ELEM_INTERVAL_END) !== 0,
    isCatchAll: (flags & ELEM_CATCH_ALL) !== 0,
    verdict: verdict.size === 0 ? undefined : decodeVerdict(verdict),
  };
}

/** The values of a set. A catch-all element holds what no other does, so it comes last and holds everything. */
export function rangesOf(elements: readonly NftSetElement[], isInterval: boolean): readonly NftSetRange[] {
  const named = elements.filter((element) => !element.isCatchAll);
  const width = named[0]?.key.length ?? 0;
  const ranges = isInterval ? pairedUp(named) : named.map(rangeOfOne);
  const rest = elements
    .filter((element) => element.isCatchAll)
    .map(({ verdict }) => ({ low: new Uint8Array(width), high: new Uint8Array(width).fill(0xff), verdict }));
  return [...ranges, ...rest];
}

function rangeOfOne({ key, keyEnd, verdict }: NftSetElement): NftSetRange {
  return { low: key, high: keyEnd ?? key, verdict };
}

/** An interval is a start and, one past its last value, an end; one that reaches the largest value has no end. */
function pairedUp(elements: readonly NftSetElement[]): NftSetRange[] {
  const sorted = elements.toSorted(
    (a, b) => Buffer.compare(a.key, b.key) || Number(b.isEnd) - Number(a.isEnd),
  );
  const out: NftSetRange[] = [];
  for (const [i, element] of sorted.entries()) {
    if (element.isEnd) continue;
    const next = sorted[i + 1];
    const high =
      element.keyEnd ??
      (next === undefined ? new Uint8Array(element.key.length).fill(0xff) : oneLess(next.key));
    out.push({ low: element.key, high, verdict: element.verdict });
  }
  return out;
}

function oneLess(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  for (let i = out.length - 1; i >= 0; i--) {
    const byte = out[i] ?? 0;
    out[i] = (byte - 1) & 0xff;
    if (byte !== 0) break;
  }
  return out;
}
