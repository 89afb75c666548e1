/** Elements of nftables sets and maps as nfnetlink carries them. @see linux/netfilter/nf_tables.h */
import {
  decodeAttributes,
  listAttributes,
  type NlAttributes,
  nested,
  readString,
  readU32be,
  readU64be,
} from "./netlink-attribute.ts";
import {
  afterNfGenMsg,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  nfType,
} from "./nfnetlink.ts";
import { NfWriter } from "./nfnetlink-writer.ts";
import { WireError } from "./wire-error.ts";

export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_GETSETELEM = 13;
export const NFT_MSG_DELSETELEM = 14;

export const LIST = { table: 1, set: 2, elements: 3 } as const;
const LIST_ELEM = 1;
const ELEM = {
  key: 1,
  data: 2,
  flags: 3,
  expiration: 5,
  expression: 7,
  keyEnd: 10,
  expressions: 11,
} as const;
const EXPRESSION = { name: 1, data: 2 } as const;
const COUNTER = { bytes: 1, packets: 2 } as const;
const DATA = { value: 1, verdict: 2 } as const;
const VERDICT = { code: 1, chain: 2 } as const;
const CODES = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;
const ELEMENT_INTERVAL_END = 1;

const NLM_F_REQUEST = 0x01;
const NLM_F_ACK = 0x04;
const NLM_F_CREATE = 0x400;

/** A list attribute's length is 16 bits; this leaves room for the largest element. */
const LIST_BYTES = 60_000;

export const NF_FAMILY = { ip: 2, ip6: 10, inet: 1 } as const;

export interface WireSetRef {
  readonly family: keyof typeof NF_FAMILY;
  readonly table: string;
  readonly set: string;
}

export type WireData =
  | { readonly kind: "value"; readonly bytes: Uint8Array }
  | { readonly kind: "verdict"; readonly verdict: "goto" | "jump"; readonly chain: string }
  | { readonly kind: "verdict"; readonly verdict: "drop" | "accept" | "return" };

export interface WireElement {
  readonly key: Uint8Array;
  readonly keyEnd?: Uint8Array;
  readonly data?: WireData;
  /** How often a packet found the element, where its set counts; of no meaning to a change. */
  readonly counter?: WireCounter;
  /** How long it stays unless it is renewed, where its set has a timeout; of no meaning to a change. */
  readonly expiresMs?: number;
}

export interface WireCounter {
  readonly packets: number;
  readonly bytes: number;
}

export interface WireElementOp {
  readonly op: "add" | "delete";
  readonly set: WireSetRef;
  readonly elements: readonly WireElement[];
}

/** One message of a batch: enough to say which element the kernel's offset points into. */
export interface BatchMessage {
  readonly seq: number;
  readonly op: WireElementOp;
  /** Index of the first element in this message, and each element's offset from the message's start. */
  readonly first: number;
  readonly offsets: readonly number[];
}

export interface ElementBatch {
  readonly bytes: Uint8Array;
  readonly beginSeq: number;
  readonly messages: readonly BatchMessage[];
}

/** All the changes as one transaction, numbered from `seq`. Only the last message asks for an acknowledgement: the kernel
 *  answers refused ones anyway, and before it. */
export function encodeElementBatch(ops: readonly WireElementOp[], seq: number): ElementBatch {
  const writer = new NfWriter(1 << 12);
  const messages: BatchMessage[] = [];
  const pieces = [...splitOps(ops)];
  let next = seq;
  writer.endMessage(writer.message(edge(NFNL_MSG_BATCH_BEGIN, next++)));
  for (const [i, piece] of pieces.entries())
    messages.push(writeElements(writer, piece, { seq: next++, ack: i === pieces.length - 1 }));
  writer.endMessage(writer.message(edge(NFNL_MSG_BATCH_END, next)));
  return { bytes: writer.bytes(), beginSeq: seq, messages };
}

/** The element an error's offset points at; none when the offset is about the set or its table. */
export function elementAt(message: BatchMessage, offset: number | undefined): WireElement | undefined {
  const known = offset ?? (message.offsets.length === 1 ? message.offsets[0] : undefined);
  const at = known === undefined ? -1 : message.offsets.findLastIndex((start) => start <= known);
  return at < 0 ? undefined : message.op.elements[message.first + at];
}

/** The elements of one message of a dump. They share one copy of it: with one for each key, copying would be half the time.
 *  @throws {WireError} */
export function decodeElements(payload: Uint8Array): WireElement[] {
  const out: WireElement[] = [];
  for (const [type, list] of listAttributes(afterNfGenMsg(payload.slice()).attributes)) {
    if (type !== LIST.elements) continue;
    for (const [kind, element] of listAttributes(list)) {
      if (kind !== LIST_ELEM) continue;
      const decoded = decodeElement(element);
      if (decoded) out.push(decoded);
    }
  }
  return out;
}

function edge(type: number, seq: number) {
  return { type, flags: NLM_F_REQUEST, seq, family: 0, resource: NFNL_SUBSYS_NFTABLES };
}

interface Piece {
  readonly op: WireElementOp;
  readonly first: number;
  readonly count: number;
}

/** Cuts each op into lists that fit an attribute. */
function* splitOps(ops: readonly WireElementOp[]): Generator<Piece> {
  for (const op of ops) {
    let first = 0;
    let bytes = 0;
    for (const [i, element] of op.elements.entries()) {
      const size = boundOf(element);
      if (bytes + size > LIST_BYTES && i > first) {
        yield { op, first, count: i - first };
        first = i;
        bytes = 0;
      }
      bytes += size;
    }
    if (op.elements.length > first) yield { op, first, count: op.elements.length - first };
  }
}

/** At most this many bytes on the wire. */
function boundOf({ key, keyEnd, data }: WireElement): number {
  const dataBytes = data === undefined ? 0 : data.kind === "value" ? data.bytes.length : 300;
  return 48 + key.length + (keyEnd?.length ?? 0) + dataBytes;
}

function writeElements(
  writer: NfWriter,
  { op, first, count }: Piece,
  { seq, ack }: { seq: number; ack: boolean },
): BatchMessage {
  const adds = op.op === "add";
  const start = writer.message({
    type: nfType(NFNL_SUBSYS_NFTABLES, adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
    flags: NLM_F_REQUEST | (adds ? NLM_F_CREATE : 0) | (ack ? NLM_F_ACK : 0),
    seq,
    family: NF_FAMILY[op.set.family],
    resource: 0,
  });
  writer.text(LIST.table, op.set.table);
  writer.text(LIST.set, op.set.set);
  const list = writer.nest(LIST.elements);
  const offsets: number[] = [];
  for (let i = first; i < first + count; i++) {
    const element = op.elements[i];
    if (element === undefined) break;
    offsets.push(writer.length - start);
    writeElement(writer, element, adds);
  }
  writer.endNest(list);
  writer.endMessage(start);
  return { seq, op, first, offsets };
}

function writeElement(writer: NfWriter, element: WireElement, withData: boolean): void {
  const start = writer.nest(LIST_ELEM);
  writeKey(writer, ELEM.key, element.key);
  if (element.keyEnd) writeKey(writer, ELEM.keyEnd, element.keyEnd);
  if (withData && element.data) writeData(writer, element.data);
  writer.endNest(start);
}

function writeKey(writer: NfWriter, type: number, key: Uint8Array): void {
  const start = writer.nest(type);
  writer.value(DATA.value, key);
  writer.endNest(start);
}

function writeData(writer: NfWriter, data: WireData): void {
  const start = writer.nest(ELEM.data);
  if (data.kind === "value") writer.value(DATA.value, data.bytes);
  else {
    const verdict = writer.nest(DATA.verdict);
    writer.u32(VERDICT.code, CODES[data.verdict] >>> 0);
    if (data.verdict === "goto" || data.verdict === "jump") writer.text(VERDICT.chain, data.chain);
    writer.endNest(verdict);
  }
  writer.endNest(start);
}

/** Ends of classic intervals and catch-all elements carry no key of their own and are passed over. */
function decodeElement(bytes: Uint8Array): WireElement | undefined {
  const attributes = new Map(listAttributes(bytes));
  if (((readU32be(attributes, ELEM.flags) ?? 0) & ELEMENT_INTERVAL_END) !== 0) return undefined;
  const key = nested(attributes, ELEM.key).get(DATA.value);
  if (key === undefined) return undefined;
  const keyEnd = nested(attributes, ELEM.keyEnd).get(DATA.value);
  const data = attributes.has(ELEM.data) ? decodeData(nested(attributes, ELEM.data)) : undefined;
  const counter = decodeCounter(attributes);
  const expiresMs = readU64be(attributes, ELEM.expiration);
  return {
    key,
    ...(keyEnd ? { keyEnd } : {}),
    ...(data ? { data } : {}),
    ...(counter ? { counter } : {}),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

/** An element with one expression has it by itself, one with several has a list. */
function decodeCounter(attributes: NlAttributes): WireCounter | undefined {
  const listed = attributes.get(ELEM.expressions);
  const expressions = listed
    ? listAttributes(listed).map(([, bytes]) => decodeAttributes(bytes))
    : [nested(attributes, ELEM.expression)];
  const counter = expressions.find((expression) => readString(expression, EXPRESSION.name) === "counter");
  if (counter === undefined) return undefined;
  const values = nested(counter, EXPRESSION.data);
  return {
    packets: readU64be(values, COUNTER.packets) ?? 0,
    bytes: readU64be(values, COUNTER.bytes) ?? 0,
  };
}

function decodeData(data: ReturnType<typeof nested>): WireData | undefined {
  const value = data.get(DATA.value);
  if (value) return { kind: "value", bytes: value };
  const verdict = nested(data, DATA.verdict);
  const code = (readU32be(verdict, VERDICT.code) ?? 0) | 0;
  const chain = readString(verdict, VERDICT.chain);
  for (const name of ["drop", "accept", "return"] as const)
    if (CODES[name] === code) return { kind: "verdict", verdict: name };
  for (const name of ["goto", "jump"] as const)
    if (CODES[name] === code && chain !== undefined) return { kind: "verdict", verdict: name, chain };
  throw new WireError("nftables verdict", `code ${code}${chain === undefined ? " without a chain" : ""}`);
}
