/** Rules of nftables, as expressions over registers, read as what they ask and do. A register is followed from where it is
 *  loaded to where it is compared; what cannot be followed makes the test unknown, never wrong. */
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
import type { NftSetRange } from "#wire/nftables-set";
import type { NftVerdict } from "#wire/nftables-verdict";
import { actionOfTarget, testsOfExtension } from "./lower-match.ts";
import {
  type Action,
  bytesToBits,
  FIELD_BYTES,
  type Field,
  type FilterRule,
  type Range,
  type Test,
} from "./rule.ts";

/** Sets by name, with their values; undefined for one that was not read. */
export type SetReader = (name: string) => readonly NftSetRange[] | undefined;

/** What a register holds: the first `bytes` of a field, masked. */
interface Held {
  readonly field: Field;
  readonly bytes: number;
  readonly mask: bigint | undefined;
}

/** One rule may be several here: one for each entry of a verdict map. */
export function lowerNftRule(
  expressions: readonly NftExpression[],
  family: Family,
  readSet: SetReader,
): readonly FilterRule[] {
  const lowering = new Lowering(family, readSet);
  for (const expression of expressions) if (lowering.take(expression) === "done") break;
  return lowering.rules();
}

/** Expressions that look at nothing and decide nothing. */
const HARMLESS = new Set([
  "counter",
  "log",
  "objref",
  "flow_offload",
  "dup",
  "quota-none",
  "last",
  "comment",
]);

class Lowering {
  readonly #family: Family;
  readonly #readSet: SetReader;
  readonly #held = new Map<number, Held>();
  readonly #tests: Test[] = [];
  #branches: FilterRule[] = [];
  #action: Action = { kind: "none" };

  constructor(family: Family, readSet: SetReader) {
    this.#family = family;
    this.#readSet = readSet;
  }

  rules(): readonly FilterRule[] {
    return [...this.#branches, { tests: this.#tests, action: this.#action }];
  }

  take(expression: NftExpression): "done" | undefined {
    switch (expression.kind) {
      case "payload":
      case "meta":
      case "ct":
      case "fib":
        this.#load(expression.to, this.#fieldOf(expression));
        return undefined;
      case "bitwise":
        this.#load(expression.to, this.#masked(expression));
        return undefined;
      case "cmp":
        this.#tests.push(this.#compared(expression));
        return undefined;
      case "range":
        this.#tests.push(this.#ranged(expression));
        return undefined;
      case "lookup":
        return this.#lookUp(expression);
      case "match":
        this.#tests.push(...testsOfExtension(expression.name, expression.revision, expression.info));
        return undefined;
      case "verdict":
        return this.#decide(actionOf(expression.verdict));
      case "target":
        return this.#decide(actionOfTarget(expression.name));
      case "reject":
        return this.#decide({ kind: "drop" });
      case "other":
        this.#takeOther(expression);
        return undefined;
      default:
        return expression satisfies never;
    }
  }

  #takeOther({ name, to }: Extract<NftExpression, { kind: "other" }>): void {
    if (HARMLESS.has(name)) return;
    // It may write to any register it names, and may end the rule.
    if (to === undefined) this.#held.clear();
    else this.#load(to, undefined);
    this.#tests.push({ kind: "unknown", what: name });
  }

  #decide(action: Action): "done" | undefined {
    if (action.kind === "none") return undefined;
    this.#action = action;
    return "done";
  }

  /** What stood in the words that are written over is gone. */
  #load(to: number, held: Held | undefined): void {
    const words = Math.max(1, Math.ceil((held?.bytes ?? 16) / 4));
    for (let word = to; word < to + words; word++) this.#held.delete(word);
    if (held) this.#held.set(to, held);
  }

  #fieldOf(
    expression: Extract<NftExpression, { kind: "payload" | "meta" | "ct" | "fib" }>,
  ): Held | undefined {
    const held = (field: Field | undefined) => field && { field, bytes: this.#width(field), mask: undefined };
    if (expression.kind === "fib") {
      const isType = expression.result === FIB_RESULT_TYPE && expression.flags === FIB_DESTINATION;
      return isType ? held("destinationType") : undefined;
    }
    if (expression.kind !== "payload")
      return held((expression.kind === "meta" ? META_FIELDS : CT_FIELDS)[expression.key]);
    const { base, offset, length } = expression;
    const places = base === PAYLOAD.network ? NETWORK_FIELDS[this.#family] : TRANSPORT_FIELDS;
    const field = base === PAYLOAD.link ? undefined : places[offset];
    if (field === undefined || length > this.#width(field)) return undefined;
    return { field, bytes: length, mask: undefined };
  }

  #masked({ from, mask, xor }: Extract<NftExpression, { kind: "bitwise" }>): Held | undefined {
    const held = this.#held.get(from);
    if (!held || held.mask !== undefined || mask.length !== held.bytes || xor.some((byte) => byte !== 0))
      return undefined;
    return { ...held, mask: bytesToBits(mask) };
  }

  #compared({ from, op, value }: Extract<NftExpression, { kind: "cmp" }>): Test {
    const held = this.#held.get(from);
    if (!held || value.length > held.bytes) return { kind: "unknown", what: "cmp" };
    const range = rangeOf(value, value, held.bytes);
    const top = (1n << BigInt(held.bytes * 8)) - 1n;
    const [low, high] = range;
    switch (op) {
      case CMP.eq:
        return this.#test(held, [range]);
      case CMP.neq:
        return this.#test(held, [range], true);
      case CMP.lt:
        return this.#test(held, low === 0n ? [] : [[0n, low - 1n]]);
      case CMP.lte:
        return this.#test(held, [[0n, high]]);
      case CMP.gt:
        return this.#test(held, high === top ? [] : [[high + 1n, top]]);
      case CMP.gte:
        return this.#test(held, [[low, top]]);
      default:
        return { kind: "unknown", what: "cmp" };
    }
  }

  #ranged({ from, low, high, inverted }: Extract<NftExpression, { kind: "range" }>): Test {
    const held = this.#held.get(from);
    if (!held || low.length > held.bytes || high.length > held.bytes)
      return { kind: "unknown", what: "range" };
    return this.#test(held, [rangeOf(low, high, held.bytes)], inverted);
  }

  #lookUp({
    from,
    set,
    inverted,
    decides,
    to,
  }: Extract<NftExpression, { kind: "lookup" }>): "done" | undefined {
    const held = this.#held.get(from);
    const values = held && this.#readSet(set);
    // Fields of a concatenation are each padded to words of four bytes.
    const isFollowed = held && values?.every(({ low }) => low.length <= held.bytes);
    if (!decides && to !== undefined) this.#load(to, undefined);
    if (!isFollowed || !values) {
      this.#tests.push({ kind: "unknown", what: "set" });
      if (!decides) return undefined;
      this.#action = { kind: "unknown", what: "verdict map" };
      return "done";
    }
    const ranges = values.map(({ low, high }) => rangeOf(low, high, held.bytes));
    if (!decides) {
      this.#tests.push(this.#test(held, ranges, inverted));
      return undefined;
    }
    for (const [i, { verdict }] of values.entries()) {
      const range = ranges[i];
      if (range && verdict)
        this.#branches.push({
          tests: [...this.#tests, this.#test(held, [range])],
          action: actionOf(verdict),
        });
    }
    // What is in no entry goes on with the rule.
    return undefined;
  }

  /** A test of the first bytes of a field is one of the whole field. */
  #test({ field, bytes, mask }: Held, ranges: readonly Range[], inverted = false): Test {
    const shift = BigInt((this.#width(field) - bytes) * 8);
    const rest = (1n << shift) - 1n;
    const whole = mask === undefined ? undefined : mask << shift;
    const widened = ranges.map(
      ([low, high]): Range => [low << shift, (high << shift) | (mask === undefined ? rest : 0n)],
    );
    return { kind: "field", field, mask: whole, ranges: widened, inverted };
  }

  #width(field: Field): number {
    return FIELD_BYTES[field] || FAMILY[this.#family].bytes;
  }
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

/** Values that begin with `low` to those that begin with `high`, in `bytes` bytes. */
function rangeOf(low: Uint8Array, high: Uint8Array, bytes: number): Range {
  const shiftLow = BigInt((bytes - low.length) * 8);
  const shiftHigh = BigInt((bytes - high.length) * 8);
  return [bytesToBits(low) << shiftLow, (bytesToBits(high) << shiftHigh) | ((1n << shiftHigh) - 1n)];
}

function actionOf(verdict: NftVerdict): Action {
  switch (verdict.kind) {
    case "accept":
    case "drop":
    case "return":
      return { kind: verdict.kind };
    case "jump":
    case "goto":
      return verdict;
    case "continue":
    case "break":
      return { kind: "none" };
    case "other":
      return { kind: "unknown", what: `verdict ${verdict.code}` };
    default:
      return verdict satisfies never;
  }
}
