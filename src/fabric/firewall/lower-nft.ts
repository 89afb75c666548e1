/** Rules of nftables, as expressions over registers, read as what they ask and do. A register is followed from where it is
 *  loaded to where it is compared; what cannot be followed makes the test unknown, never wrong. */
import type { Family } from "#addr/family";
import type { NftExpression } from "#wire/nftables-rule";
import type { NftSetRange } from "#wire/nftables-set";
import type { NftVerdict } from "#wire/nftables-verdict";
import { among, compared, type Held, loaded, masked, rangeOf } from "./held.ts";
import { actionOfTarget, testsOfExtension } from "./lower-match.ts";
import { type Action, type FilterRule, type Test, unknownTest } from "./rule.ts";

/** Sets by name, with their values; undefined for one that was not read. */
export type SetReader = (name: string) => readonly NftSetRange[] | undefined;

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

/** Expressions that ask nothing and decide nothing. */
const HARMLESS = new Set(["counter", "log", "objref", "flow_offload", "dup", "last"]);
const REGISTER_BYTES = 16;

class Lowering {
  readonly #family: Family;
  readonly #readSet: SetReader;
  readonly #held = new Map<number, Held>();
  readonly #tests: Test[] = [];
  readonly #branches: FilterRule[] = [];
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
      case "verdict":
        return this.#decide(actionOf(expression.verdict));
      case "target":
        return this.#decide(actionOfTarget(expression.name));
      case "reject":
        return this.#decide({ kind: "drop" });
      case "lookup":
        return this.#lookUp(expression);
      case "match":
        this.#tests.push(...testsOfExtension(expression.name, expression.revision, expression.info));
        return undefined;
      case "other":
        this.#takeOther(expression);
        return undefined;
      default:
        this.#follow(expression);
        return undefined;
    }
  }

  #follow(
    expression: Extract<
      NftExpression,
      { kind: "payload" | "meta" | "ct" | "fib" | "bitwise" | "cmp" | "range" }
    >,
  ): void {
    switch (expression.kind) {
      case "bitwise":
        this.#load(expression.to, masked(this.#held.get(expression.from), expression.mask, expression.xor));
        return;
      case "cmp":
        this.#tests.push(...compared(this.#held.get(expression.from), expression.op, expression.value));
        return;
      case "range": {
        const { low, high, inverted } = expression;
        const held = this.#held.get(expression.from);
        const fits = held && low.length <= held.bytes && high.length <= held.bytes;
        this.#tests.push(
          fits ? among(held, [rangeOf(low, high, held.bytes)], inverted) : unknownTest("range"),
        );
        return;
      }
      default:
        this.#load(expression.to, loaded(expression, this.#family));
    }
  }

  /** It may write to any register it names, and may end the rule. */
  #takeOther({ name, to }: Extract<NftExpression, { kind: "other" }>): void {
    if (HARMLESS.has(name)) return;
    if (to === undefined) this.#held.clear();
    else this.#load(to, undefined);
    this.#tests.push(unknownTest(name));
  }

  #decide(action: Action): "done" | undefined {
    if (action.kind === "none") return undefined;
    this.#action = action;
    return "done";
  }

  /** What stood in the words that are written over is gone. */
  #load(to: number, held: Held | undefined): void {
    const words = Math.ceil((held?.bytes ?? REGISTER_BYTES) / 4);
    for (let word = to; word < to + words; word++) this.#held.delete(word);
    if (held) this.#held.set(to, held);
  }

  #lookUp({
    from,
    set,
    inverted,
    decides,
    to,
  }: Extract<NftExpression, { kind: "lookup" }>): "done" | undefined {
    const held = this.#held.get(from);
    const values = this.#readSet(set);
    if (!decides && to !== undefined) this.#load(to, undefined);
    // Keys of several fields are longer than the field that is held.
    const isFollowed =
      held?.parts.length === 1 && values?.every(({ low }) => low.length === held.bytes) === true;
    if (!isFollowed || !values) {
      this.#tests.push(unknownTest("set"));
      return decides ? this.#decide({ kind: "unknown", what: "verdict map" }) : undefined;
    }
    if (decides) this.#branch(held, values);
    else {
      const ranges = values.map(({ low, high }) => rangeOf(low, high, held.bytes));
      this.#tests.push(among(held, ranges, inverted));
    }
    return undefined;
  }

  /** What is in no entry of the map goes past the rule. */
  #branch(held: Held, values: readonly NftSetRange[]): void {
    for (const { low, high, verdict } of values) {
      if (verdict === undefined) continue;
      const test = among(held, [rangeOf(low, high, held.bytes)]);
      this.#branches.push({ tests: [...this.#tests, test], action: actionOf(verdict) });
    }
  }
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
