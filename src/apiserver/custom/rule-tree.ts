import { CelFault } from "../cel/fault.ts";
import { Budget, OUT_OF_BUDGET } from "../cel/meter.ts";
import { isObject, type Json, own, sameJson } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";
import type { Correlation } from "./correlation.ts";
import { type CompiledRule, compileRules } from "./rule-set.ts";
import { isEmbedded, itemsOf, nodesOf, type Schema, valuesOf } from "./schema.ts";

/** What all rules of one object may cost together. */
export const OBJECT_BUDGET = 10_000_000;
const MAX_MESSAGE_BYTES = 5 * 1024;

/** A value, what it takes the place of, and where it is. */
export interface Place {
  /** Undefined at the root of an object. */
  readonly path: string | undefined;
  /** What the value was; undefined when there was none, or when that cannot be told. */
  readonly old: Json | undefined;
  /** What has not changed in an update may stay wrong: this place, or the nearest above that can be told. */
  readonly correlation: Correlation | undefined;
}

interface Run {
  readonly budget: Budget;
  readonly errors: FieldError[];
  isOver: boolean;
}

/** The rules of a schema and of what is below it, compiled when first used. @see apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go */
export class RuleTree {
  readonly #schema: Schema;
  readonly #isRoot: boolean;
  readonly #fields: ReadonlyMap<string, RuleTree>;
  readonly #items: RuleTree | undefined;
  readonly #values: RuleTree | undefined;
  #rules: readonly CompiledRule[] | undefined;

  private constructor(schema: Schema, isRoot: boolean) {
    this.#schema = schema;
    this.#isRoot = isRoot;
    const fields = Object.entries(schema.properties ?? {}).flatMap(([field, child]) => {
      const tree = RuleTree.of(child, { isRoot: isEmbedded(child) });
      return tree === undefined ? [] : [[field, tree] as const];
    });
    this.#fields = new Map(fields);
    const items = itemsOf(schema);
    const values = valuesOf(schema);
    this.#items = items && RuleTree.of(items, { isRoot: isEmbedded(items) });
    this.#values = values && RuleTree.of(values, { isRoot: isEmbedded(values) });
  }

  /** Undefined where nothing has a rule. */
  static of(schema: Schema, options: { readonly isRoot: boolean }): RuleTree | undefined {
    for (const node of nodesOf(schema))
      if ((node.schema["x-kubernetes-validations"] ?? []).length > 0)
        return new RuleTree(schema, options.isRoot);
    return undefined;
  }

  /** What breaks a rule. An update gives `old` and `correlation`. */
  check(value: Json, place: Place, budget = new Budget(OBJECT_BUDGET)): readonly FieldError[] {
    const run: Run = { budget, errors: [], isOver: false };
    this.#check(value, place, run);
    return run.errors;
  }

  #check(value: Json, place: Place, run: Run): void {
    if (value === null || run.isOver) return;
    this.#rules ??= compileRules(this.#schema, { isRoot: this.#isRoot });
    for (const rule of this.#rules) if (!run.isOver) this.#apply(rule, value, place, run);
    if (Array.isArray(value)) this.#checkItems(value, place, run);
    else if (isObject(value))
      for (const [field, inner] of Object.entries(value)) {
        const named = this.#fields.get(field);
        const tree = named ?? (this.#schema.properties?.[field] === undefined ? this.#values : undefined);
        if (tree === undefined) continue;
        const before = isObject(place.old) ? own(place.old, field) : undefined;
        const path = named === undefined ? `${place.path ?? ""}[${field}]` : joined(place.path, field);
        tree.#check(inner, { path, old: before, correlation: below(place, (each) => each.key(field)) }, run);
      }
  }

  #checkItems(list: readonly Json[], place: Place, run: Run): void {
    if (this.#items === undefined) return;
    for (const [i, item] of list.entries()) {
      const path = `${place.path ?? ""}[${i}]`;
      const old = this.#itemWas(item, place.old);
      this.#items.#check(item, { path, old, correlation: below(place, (each) => each.index(i)) }, run);
    }
  }

  /** Elements of a list that is a map are told apart by their keys; in others nobody knows what an element was. */
  #itemWas(item: Json, old: Json | undefined): Json | undefined {
    if (this.#schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return undefined;
    const keys = this.#schema["x-kubernetes-list-map-keys"] ?? [];
    const keyOf = (each: Json, key: string) => (isObject(each) ? own(each, key) : undefined);
    return old.find((each) => keys.every((key) => sameJson(keyOf(each, key), keyOf(item, key))));
  }

  #apply(compiled: CompiledRule, value: Json, place: Place, run: Run): void {
    const { source, rule, usesOldSelf } = compiled;
    const { old } = place;
    const type = this.#schema.type ?? "";
    const fail = (detail: string) =>
      run.errors.push({ type: "Invalid", path: place.path ?? "<nil>", value: type, detail });
    if (rule === undefined) return void fail(`rule compile error: ${compiled.problem ?? ""}`);
    if (usesOldSelf && old === undefined && source.optionalOldSelf !== true) return;
    const bindings = { self: value, ...(old === undefined ? {} : { oldSelf: old }) };
    try {
      if (rule.evaluate(bindings, run.budget) === true) return;
    } catch (error) {
      if (!(error instanceof CelFault)) throw error;
      run.isOver = error.code === "cost";
      return void fail(evaluationText(error, source));
    }
    const isLetThrough = !usesOldSelf && place.correlation?.isUnchanged === true;
    if (isLetThrough) return;
    const detail = messageOf(compiled, bindings, run.budget);
    const path = compiled.fieldPath === undefined ? place.path : joined(place.path, compiled.fieldPath);
    run.errors.push(errorFor(source.reason, { path: path ?? "<nil>", value, type, detail }));
  }
}

function joined(path: string | undefined, field: string): string {
  return path === undefined || path === "" ? field : `${path}${field.startsWith("[") ? "" : "."}${field}`;
}

function below(
  { correlation }: Place,
  step: (correlation: Correlation) => Correlation | undefined,
): Correlation | undefined {
  if (correlation === undefined) return undefined;
  // Where what was there cannot be told, the nearest place above decides.
  return step(correlation) ?? correlation;
}

function evaluationText(error: CelFault, { rule, message }: CompiledRule["source"]): string {
  const name = (message ?? "").trim() || rule.trim();
  if (error.message === OUT_OF_BUDGET) return OUT_OF_BUDGET;
  if (error.code === "cost")
    return `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${name}`;
  if (error.message.startsWith("no such overload"))
    return `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${name}`;
  return `${error.message} evaluating rule: ${name}`;
}

function messageOf(
  { message, source }: CompiledRule,
  bindings: Readonly<Record<string, unknown>>,
  budget: Budget,
): string {
  const plain = (source.message ?? "").trim() || `failed rule: ${source.rule.trim()}`;
  if (message === undefined) return plain;
  try {
    const text = message.evaluate(bindings, budget);
    if (typeof text !== "string") return plain;
    const trimmed = text.trim();
    const isUsable =
      trimmed !== "" && !trimmed.includes("\n") && Buffer.byteLength(trimmed) <= MAX_MESSAGE_BYTES;
    return isUsable ? trimmed : plain;
  } catch (error) {
    if (error instanceof CelFault) return plain;
    throw error;
  }
}

function errorFor(
  reason: string | undefined,
  found: { readonly path: string; readonly value: Json; readonly type: string; readonly detail: string },
): FieldError {
  const { path, detail } = found;
  switch (reason) {
    case "FieldValueForbidden":
      return { type: "Forbidden", path, detail };
    case "FieldValueRequired":
      return { type: "Required", path, detail };
    case "FieldValueDuplicate":
      return { type: "Duplicate", path, value: found.value, detail };
    default:
      // Whole objects and lists are not repeated to whoever sent them.
      return found.type === "object" || found.type === "array"
        ? { type: "Invalid", path, omitsValue: true, detail }
        : { type: "Invalid", path, value: found.value, detail };
  }
}
