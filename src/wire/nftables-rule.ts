/** Chains and rules of nftables as nfnetlink lists them: what a rule loads, compares and decides, expression by expression.
 *  What is not known here keeps its name, so that a reader can be careful. @see linux/netfilter/nf_tables.h */
import {
  decodeAttributes,
  listAttributes,
  type NlAttributes,
  nested,
  readString,
  readU32be,
  textOf,
} from "./netlink-attribute.ts";
import { afterNfGenMsg } from "./nfnetlink.ts";
import { decodeVerdict, type NftVerdict } from "./nftables-verdict.ts";
import { WireError } from "./wire-error.ts";

export const NFT_MSG_GETCHAIN = 4;
export const NFT_MSG_GETRULE = 7;

const FAMILIES = { 1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6" } as const;
export const NFT_FAMILY = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;
/** Hook numbers of the families that see IP packets. */
const HOOKS = ["prerouting", "input", "forward", "output", "postrouting", "ingress"] as const;

export type NftFamily = (typeof FAMILIES)[keyof typeof FAMILIES];
export type NftHook = (typeof HOOKS)[number];

export interface NftChainRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
}

export interface NftChain extends NftChainRef {
  readonly handle: number;
  /** Of a chain that packets come to by themselves. */
  readonly base:
    | {
        readonly hook: NftHook;
        readonly type: string;
        readonly priority: number;
        readonly policy: "accept" | "drop";
      }
    | undefined;
}

export interface NftRule extends NftChainRef {
  readonly handle: number;
  readonly expressions: readonly NftExpression[];
}

/** Registers are numbered in words of four bytes; `register` 0 to 15. */
export type NftExpression =
  | {
      readonly kind: "payload";
      readonly base: number;
      readonly offset: number;
      readonly length: number;
      readonly to: number;
    }
  | { readonly kind: "meta" | "ct"; readonly key: number; readonly to: number }
  | {
      readonly kind: "bitwise";
      readonly from: number;
      readonly to: number;
      readonly mask: Uint8Array;
      readonly xor: Uint8Array;
    }
  | {
      readonly kind: "cmp";
      readonly from: number;
      readonly op: number;
      readonly value: Uint8Array;
    }
  | {
      readonly kind: "range";
      readonly from: number;
      readonly inverted: boolean;
      readonly low: Uint8Array;
      readonly high: Uint8Array;
    }
  | {
      readonly kind: "lookup";
      readonly from: number;
      readonly set: string;
      readonly inverted: boolean;
      /** Whether the element found decides what happens (a verdict map). */
      readonly decides: boolean;
      /** Where a map's value goes. */
      readonly to: number | undefined;
    }
  | { readonly kind: "fib"; readonly result: number; readonly flags: number; readonly to: number }
  | { readonly kind: "verdict"; readonly verdict: NftVerdict }
  /** An extension of iptables, with its own bytes. */
  | {
      readonly kind: "match" | "target";
      readonly name: string;
      readonly revision: number;
      readonly info: Uint8Array;
    }
  | { readonly kind: "reject" }
  | { readonly kind: "other"; readonly name: string; readonly to: number | undefined };

/** Compared as the kernel numbers them. */
export const CMP = { eq: 0, neq: 1, lt: 2, lte: 3, gt: 4, gte: 5 } as const;
export const PAYLOAD = { link: 0, network: 1, transport: 2 } as const;
export const META = { iif: 4, oif: 5, iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;
export const CT = { state: 0, status: 2 } as const;
export const FIB_RESULT_TYPE = 3;
export const FIB_DESTINATION = 2;

const CHAIN = { table: 1, handle: 2, name: 3, hook: 4, policy: 5, type: 7 } as const;
const HOOK = { number: 1, priority: 2 } as const;
const RULE = { table: 1, chain: 2, handle: 3, expressions: 4 } as const;
const EXPRESSION = { name: 1, data: 2 } as const;
const DATA = { value: 1, verdict: 2 } as const;
/** Far more than any rule has. */
const MOST_EXPRESSIONS = 1024;

/** Reads NFT_MSG_NEWCHAIN; nothing for a family that is not known. @throws {WireError} */
export function decodeChain(payload: Uint8Array): NftChain | undefined {
  const { family, attributes } = headOf(payload);
  if (family === undefined) return undefined;
  const hook = nested(attributes, CHAIN.hook);
  const name = HOOKS[readU32be(hook, HOOK.number) ?? -1];
  return {
    family,
    table: textIn(attributes, CHAIN.table, "chain"),
    chain: textIn(attributes, CHAIN.name, "chain"),
    handle: readHandle(attributes, CHAIN.handle),
    base:
      name === undefined
        ? undefined
        : {
            hook: name,
            type: readString(attributes, CHAIN.type) ?? "",
            priority: (readU32be(hook, HOOK.priority) ?? 0) | 0,
            policy: readU32be(attributes, CHAIN.policy) === 0 ? "drop" : "accept",
          },
  };
}

/** Reads NFT_MSG_NEWRULE; nothing for a family that is not known. @throws {WireError} */
export function decodeRule(payload: Uint8Array): NftRule | undefined {
  const { family, attributes } = headOf(payload);
  if (family === undefined) return undefined;
  const list = attributes.get(RULE.expressions);
  const expressions = list === undefined ? [] : listAttributes(list).slice(0, MOST_EXPRESSIONS);
  return {
    family,
    table: textIn(attributes, RULE.table, "rule"),
    chain: textIn(attributes, RULE.chain, "rule"),
    handle: readHandle(attributes, RULE.handle),
    expressions: expressions.map(([, bytes]) => decodeExpression(decodeAttributes(bytes))),
  };
}

function decodeExpression(attributes: NlAttributes): NftExpression {
  const name = readString(attributes, EXPRESSION.name) ?? "";
  const data = nested(attributes, EXPRESSION.data);
  return DECODERS[name]?.(data) ?? { kind: "other", name, to: registerIn(data, 1) };
}

/** Each gives nothing for a form that is not read here, such as one that writes to a packet. */
const DECODERS: Readonly<Record<string, (data: NlAttributes) => NftExpression | undefined>> = {
  payload: (data) =>
    withRegister(data, 1, (to) => ({
      kind: "payload",
      base: readU32be(data, 2) ?? 0,
      offset: readU32be(data, 3) ?? 0,
      length: readU32be(data, 4) ?? 0,
      to,
    })),
  meta: (data) => withRegister(data, 1, (to) => ({ kind: "meta", key: readU32be(data, 2) ?? 0, to })),
  ct: (data) =>
    withRegister(data, 1, (to) =>
      // With a direction it asks about one half of the connection.
      data.has(3) ? undefined : { kind: "ct", key: readU32be(data, 2) ?? 0, to },
    ),
  bitwise: (data) => {
    const [from, to] = [registerIn(data, 1), registerIn(data, 2)];
    const [mask, xor] = [valueIn(data, 4), valueIn(data, 5)];
    if (from === undefined || to === undefined || mask === undefined || xor === undefined) return undefined;
    return (readU32be(data, 6) ?? 0) === 0 ? { kind: "bitwise", from, to, mask, xor } : undefined;
  },
  cmp: (data) =>
    withRegister(data, 1, (from) => {
      const value = valueIn(data, 3);
      return value && { kind: "cmp", from, op: readU32be(data, 2) ?? 0, value };
    }),
  range: (data) =>
    withRegister(data, 1, (from) => {
      const [low, high] = [valueIn(data, 3), valueIn(data, 4)];
      return low && high && { kind: "range", from, inverted: readU32be(data, 2) === 1, low, high };
    }),
  lookup: (data) =>
    withRegister(data, 2, (from) => {
      const set = readString(data, 1);
      const inverted = ((readU32be(data, 5) ?? 0) & 1) !== 0;
      const decides = readU32be(data, 3) === 0;
      return set === undefined
        ? undefined
        : { kind: "lookup", from, set, inverted, decides, to: registerIn(data, 3) };
    }),
  fib: (data) =>
    withRegister(data, 1, (to) => ({
      kind: "fib",
      result: readU32be(data, 2) ?? 0,
      flags: readU32be(data, 3) ?? 0,
      to,
    })),
  immediate: (data) => {
    const verdict = nested(nested(data, 2), DATA.verdict);
    return verdict.size === 0 ? undefined : { kind: "verdict", verdict: decodeVerdict(verdict) };
  },
  match: (data) => extension("match", data),
  target: (data) => extension("target", data),
  reject: () => ({ kind: "reject" }),
};

function extension(kind: "match" | "target", data: NlAttributes): NftExpression {
  const info = data.get(3) ?? new Uint8Array();
  return { kind, name: readString(data, 1) ?? "", revision: readU32be(data, 2) ?? 0, info: info.slice() };
}

function withRegister(
  data: NlAttributes,
  type: number,
  make: (register: number) => NftExpression | undefined,
): NftExpression | undefined {
  const register = registerIn(data, type);
  return register === undefined ? undefined : make(register);
}

/** Registers 1 to 4 are sixteen bytes each; 8 to 23 are the same room in words of four. */
function registerIn(data: NlAttributes, type: number): number | undefined {
  const bytes = data.get(type);
  const number = bytes?.length === 4 ? readU32be(data, type) : undefined;
  if (number === undefined) return undefined;
  if (number >= 1 && number <= 4) return (number - 1) * 4;
  return number >= 8 && number <= 23 ? number - 8 : undefined;
}

function valueIn(data: NlAttributes, type: number): Uint8Array | undefined {
  return nested(data, type).get(DATA.value)?.slice();
}

function headOf(payload: Uint8Array) {
  const { family, attributes } = afterNfGenMsg(payload);
  return {
    family: (FAMILIES as Readonly<Record<number, NftFamily>>)[family],
    attributes: decodeAttributes(attributes),
  };
}

function textIn(attributes: NlAttributes, type: number, what: string): string {
  const bytes = attributes.get(type);
  if (bytes === undefined) throw new WireError(`nftables ${what}`, "it has no name");
  return textOf(bytes);
}

/** Handles are 64 bits, and never near 2^53. */
function readHandle(attributes: NlAttributes, type: number): number {
  const bytes = attributes.get(type);
  if (bytes?.length !== 8) throw new WireError("nftables handle", `${bytes?.length ?? 0} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
