import type { Variable } from "#kube/generated/types";
import { type AdmissionScope, admissionEnvironment } from "../../cel/admission.ts";
import { CelFault, runtimeFault } from "../../cel/fault.ts";
import { fromJson } from "../../cel/json-value.ts";
import type { Meter } from "../../cel/meter.ts";
import { type Bindings, compileRule, Lazy, type Rule } from "../../cel/rule.ts";
import { DYN, type Type } from "../../cel/types.ts";
import { CelMap, type Value } from "../../cel/value.ts";

/** A policy's variables, each of which may use those before it. */
export interface Variables {
  readonly rules: ReadonlyMap<string, Rule | CelFault>;
  /** For the expressions that come after them. */
  readonly scope: AdmissionScope;
}

export function openVariables(variables: readonly Variable[] | undefined, scope: AdmissionScope): Variables {
  const rules = new Map<string, Rule | CelFault>();
  const types: Record<string, Type> = {};
  for (const { name, expression } of variables ?? []) {
    const rule = ruleOr(expression, { ...scope, variables: { ...types } });
    rules.set(name, rule);
    types[name] = rule instanceof CelFault ? DYN : rule.type;
  }
  return { rules, scope: { ...scope, variables: types } };
}

/** The rule, or why there is none: a policy that does not compile fails when it is asked. */
export function ruleOr(expression: string, scope: AdmissionScope): Rule | CelFault {
  try {
    return compileRule(expression, admissionEnvironment(scope));
  } catch (error) {
    if (error instanceof CelFault) return error;
    throw error;
  }
}

/** The bindings with `variables` among them: each is evaluated when it is first read, once. */
export function withVariables(bindings: Bindings, { rules }: Variables): Bindings {
  if (rules.size === 0) return bindings;
  const values = new VariableValues(rules);
  const all: Bindings = {
    ...bindings,
    variables: new Lazy((meter) => {
      values.meter = meter;
      return values;
    }),
  };
  values.bindings = all;
  return all;
}

class VariableValues extends CelMap {
  readonly #rules: Variables["rules"];
  readonly #known = new Map<string, Value | CelFault>();
  bindings: Bindings = {};
  meter: Meter | undefined;

  constructor(rules: Variables["rules"]) {
    super();
    this.#rules = rules;
  }

  override get typeName(): string {
    return "kubernetes.variables";
  }

  get size(): number {
    return this.#rules.size;
  }

  has(key: Value): boolean {
    return typeof key === "string" && this.#rules.has(key);
  }

  keys(): readonly Value[] {
    return [...this.#rules.keys()];
  }

  get(key: Value): Value | undefined {
    const rule = typeof key === "string" ? this.#rules.get(key) : undefined;
    if (rule === undefined || typeof key !== "string") return undefined;
    const known = this.#known.get(key) ?? this.#evaluate(key, rule);
    this.#known.set(key, known);
    if (known instanceof CelFault) throw known;
    return known;
  }

  #evaluate(name: string, rule: Rule | CelFault): Value | CelFault {
    if (rule instanceof CelFault)
      return runtimeFault(`composited variable ${JSON.stringify(name)} fails to compile: ${rule.message}`);
    if (this.meter === undefined)
      throw new Error("broken invariant: variables are read within an evaluation");
    try {
      return fromJson(rule.evaluateWithin(this.bindings, this.meter), rule.type);
    } catch (error) {
      if (!(error instanceof CelFault) || error.code === "cost") throw error;
      return runtimeFault(`composited variable ${JSON.stringify(name)} fails to evaluate: ${error.message}`);
    }
  }
}
