import { UNBOUNDED } from "../cel/range.ts";
import { forbidden } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { type Schema, valuesOf } from "./schema.ts";

/** What one rule may cost for one object, as estimated when it is written. */
export const RULE_LIMIT = 10_000_000;
/** What all rules of a version's schema may cost together. */
const SCHEMA_LIMIT = 100_000_000;
const MOST_NAMED = 4;
const ADVICE =
  "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

/** Adds up what the rules of one schema may cost. @see TotalCost in apiextensions/validation/cel_validation.go */
export class CostTotal {
  #total = 0;
  #largest: { readonly path: string; readonly cost: number }[] = [];

  observe(path: string, cost: number): void {
    this.#total += cost;
    if (cost < SCHEMA_LIMIT / 100) return;
    this.#largest.push({ path, cost });
    this.#largest.sort((a, b) => b.cost - a.cost);
    this.#largest = this.#largest.slice(0, MOST_NAMED);
  }

  errors(path: string): readonly FieldError[] {
    if (this.#total <= SCHEMA_LIMIT) return [];
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    return [
      ...this.#largest.map((each) =>
        forbidden(
          each.path,
          "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        ),
      ),
      forbidden(path, excess(what, this.#total, SCHEMA_LIMIT)),
    ];
  }
}

/** An expression that may cost more than one may. */
export function costErrors(path: string, what: string, cost: number): readonly FieldError[] {
  return cost > RULE_LIMIT ? [forbidden(path, excess(what, cost, RULE_LIMIT))] : [];
}

function excess(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? "more than 100x" : `${factor.toFixed(factor < 1.5 ? 6 : 1)}x`;
  return `${what} exceeds budget by factor of ${shown} ${ADVICE}`;
}

/** How many values there may be below a place of which there are so many; undefined when nobody has said. */
export function countBelow(schema: Schema, count: number | undefined): number | undefined {
  const each = mostElements(schema);
  return count === undefined || each === undefined ? undefined : Math.min(count * each, UNBOUNDED);
}

function mostElements(schema: Schema): number | undefined {
  if (schema.type === "array") return schema.maxItems;
  if (schema.type === "object" && valuesOf(schema) !== undefined) return schema.maxProperties;
  return 1;
}
