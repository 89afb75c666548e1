/** What a register of an nftables rule holds of a packet, and what it means to compare it. */
import { FAMILY, type Family } from "#addr/family";
import {
  CMP,
  CT,
  FIB_DESTINATION,
  FIB_RESULT_TYPE,
  META,
  type NftExpression,
  PAYLOAD,
} from "#wire/nftables-rule";
import { bytesToBits, FIELD_BYTES, type Field, type Range, type Test, unknownTest } from "./rule.ts";

/** Fields that lie behind each other in the packet; of the last one perhaps its first bytes only. */
export interface Held {
  readonly family: Family;
  readonly parts: readonly { readonly field: Field; readonly bytes: number }[];
  readonly bytes: number;
  readonly mask: Uint8Array | undefined;
}

export type Loading = Extract<NftExpression, { kind: "payload" | "meta" | "ct" | "fib" }>;

/** Undefined for what is not looked at here. */
export function loaded(expression: Loading, family: Family): Held | undefined {
  if (expression.kind === "payload") return payload(expression, family);
  const field = fieldOf(expression);
  if (field === undefined) return undefined;
  const bytes = widthOf(field, family);
  return { family, parts: [{ field, bytes }], bytes, mask: undefined };
}

function fieldOf(expression: Exclude<Loading, { kind: "payload" }>): Field | undefined {
  if (expression.kind === "fib") {
    const isType = expression.result === FIB_RESULT_TYPE && expression.flags === FIB_DESTINATION;
    return isType ? "destinationType" : undefined;
  }
  return (expression.kind === "meta" ? META_FIELDS : CT_FIELDS)[expression.key];
}

function payload(
  { base, offset, length }: Extract<NftExpression, { kind: "payload" }>,
  family: Family,
): Held | undefined {
  if (base !== PAYLOAD.network && base !== PAYLOAD.transport) return undefined;
  const places = base === PAYLOAD.network ? NETWORK_FIELDS[family] : TRANSPORT_FIELDS;
  const parts: Held["parts"][number][] = [];
  for (let at = offset; at < offset + length; ) {
    const field = places[at];
    if (field === undefined) return undefined;
    const bytes = Math.min(widthOf(field, family), offset + length - at);
    parts.push({ field, bytes });
    at += bytes;
  }
  return parts.length === 0 ? undefined : { family, parts, bytes: length, mask: undefined };
}

/** Undefined where bits are turned over, or masked a second time. */
export function masked(held: Held | undefined, mask: Uint8Array, xor: Uint8Array): Held | undefined {
  if (held === undefined || held.mask !== undefined) return undefined;
  return mask.length === held.bytes && xor.every((byte) => byte === 0) ? { ...held, mask } : undefined;
}

/** That what is held compares so with `value`, which may be shorter and then says how it begins. */
export function compared(held: Held | undefined, op: number, value: Uint8Array): readonly Test[] {
  if (!held || value.length > held.bytes) return [unknownTest("cmp")];
  if (held.parts.length > 1)
    return op === CMP.eq ? comparedInParts(held, value) : [unknownTest("cmp of several fields")];
  const ranges = rangesThat(op, value, held.bytes);
  return [ranges ? among(held, ranges) : unknownTest("cmp")];
}

/** Several fields equal what stands behind each other in `value`. */
function comparedInParts({ family, parts, mask }: Held, value: Uint8Array): readonly Test[] {
  let at = 0;
  return parts.flatMap((part) => {
    const [from, to] = [at, at + part.bytes];
    at = to;
    const wanted = value.subarray(from, to);
    const held = { family, parts: [part], bytes: part.bytes, mask: mask?.subarray(from, to) };
    return wanted.length === 0 ? [] : [among(held, [rangeOf(wanted, wanted, part.bytes)])];
  });
}

/** That what is held is one of the values. A test of the first bytes of a field becomes one of the whole field. */
export function among(held: Held, ranges: readonly Range[], inverted = false): Test {
  const [part] = held.parts;
  if (part === undefined || held.parts.length > 1) return unknownTest("several fields");
  const shift = BigInt((widthOf(part.field, held.family) - part.bytes) * 8);
  const rest = held.mask === undefined ? (1n << shift) - 1n : 0n;
  return {
    kind: "field",
    field: part.field,
    mask: held.mask && bytesToBits(held.mask) << shift,
    ranges: ranges.map(([low, high]): Range => [low << shift, (high << shift) | rest]),
    inverted,
  };
}

/** Values that begin with `low` to those that begin with `high`, in `bytes` bytes. */
export function rangeOf(low: Uint8Array, high: Uint8Array, bytes: number): Range {
  const shiftLow = BigInt((bytes - low.length) * 8);
  const shiftHigh = BigInt((bytes - high.length) * 8);
  return [bytesToBits(low) << shiftLow, (bytesToBits(high) << shiftHigh) | ((1n << shiftHigh) - 1n)];
}

/** Undefined for a comparison that is not known. "Not equal" is two ranges. */
function rangesThat(op: number, value: Uint8Array, bytes: number): readonly Range[] | undefined {
  const [low, high] = rangeOf(value, value, bytes);
  const top = (1n << BigInt(bytes * 8)) - 1n;
  const below: readonly Range[] = low === 0n ? [] : [[0n, low - 1n]];
  const above: readonly Range[] = high === top ? [] : [[high + 1n, top]];
  switch (op) {
    case CMP.eq:
      return [[low, high]];
    case CMP.neq:
      return [...below, ...above];
    case CMP.lt:
      return below;
    case CMP.lte:
      return [[0n, high]];
    case CMP.gt:
      return above;
    case CMP.gte:
      return [[low, top]];
    default:
      return undefined;
  }
}

function widthOf(field: Field, family: Family): number {
  return FIELD_BYTES[field] || FAMILY[family].bytes;
}

const META_FIELDS: Readonly<Record<number, Field>> = {
  [META.iif]: "inIndex",
  [META.oif]: "outIndex",
  [META.iifname]: "in",
  [META.oifname]: "out",
  [META.nfproto]: "family",
  [META.l4proto]: "protocol",
};
const CT_FIELDS: Readonly<Record<number, Field>> = { [CT.state]: "state", [CT.status]: "status" };
const NETWORK_FIELDS: Readonly<Record<Family, Readonly<Record<number, Field>>>> = {
  4: { 9: "protocol", 12: "source", 16: "destination" },
  6: { 6: "protocol", 8: "source", 24: "destination" },
};
const TRANSPORT_FIELDS: Readonly<Record<number, Field>> = { 0: "sourcePort", 2: "destinationPort" };
