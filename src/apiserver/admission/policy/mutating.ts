import { isFault } from "#fault/fault";
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from "#kube/generated/types";
import { MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import { mergeTyped } from "../../apply/typed.ts";
import type { AdmissionScope } from "../../cel/admission.ts";
import { CelFault } from "../../cel/fault.ts";
import { toJson } from "../../cel/json-value.ts";
import { Budget } from "../../cel/meter.ts";
import type { Bindings, Rule } from "../../cel/rule.ts";
import { conform, MisfitFault } from "../../codec/conform.ts";
import { canonicalJson, copyJson, isObject, type Json, type JsonObject } from "../../json.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { jsonPatch } from "../../patch/json-patch.ts";
import { type FieldType, typeOf } from "../../schema.ts";
import { attributesOf, isExempt } from "../dynamic/attributes.ts";
import { faceOf } from "../dynamic/face.ts";
import { replaceDraft } from "../dynamic/replace.ts";
import { mutationRefusal } from "./decision.ts";
import { invocations, type Judging } from "./invoke.ts";
import { Policies, type Policy } from "./policy.ts";
import { POLICY_BUDGET } from "./validating.ts";
import { ruleOr, withVariables } from "./variables.ts";

const TEST_FAILED = ": test failed";
const CHANGES: ReadonlySet<AdmissionRequest["operation"]> = new Set(["create", "update"] as const);

interface Change {
  readonly isPatch: boolean;
  readonly rule: Rule | CelFault;
}

interface MutatingPolicy extends Policy {
  readonly changes: readonly Change[];
  readonly isReinvoked: boolean;
}

/** Lets the bound policies change what is written, by name; those that wish see it again when others have changed it since. */
export function mutatingPolicies(judging: Judging): Admission {
  const policies = new Policies<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingPolicy>(
    judging.world,
    { policies: MUTATING_ADMISSION_POLICIES, bindings: MUTATING_ADMISSION_POLICY_BINDINGS },
    mutatingPolicy,
  );
  return {
    name: "MutatingAdmissionPolicy",
    isDynamic: true,
    mutate: (request, context) => {
      if (policies.bound.length === 0 || isExempt(request) || !CHANGES.has(request.operation)) return;
      const due = policies.bound.filter(({ isReinvoked }) => isReinvoked || !request.isAgain);
      if (due.length === 0) return;
      const before = canonicalJson(request.draft as Json);
      for (const policy of due) changeBy(policy, request, { context, judging });
      if (canonicalJson(request.draft as Json) !== before) return "changed";
    },
  };
}

function mutatingPolicy({ spec }: MutatingAdmissionPolicy, shared: Policy): MutatingPolicy {
  return {
    ...shared,
    changes: (spec?.mutations ?? []).map((mutation) => changeOf(mutation, shared.variables.scope)),
    isReinvoked: spec?.reinvocationPolicy === "IfNeeded",
  };
}

function changeOf(
  { patchType, applyConfiguration, jsonPatch: patch }: Mutation,
  scope: AdmissionScope,
): Change {
  const isPatch = patchType === "JSONPatch";
  return { isPatch, rule: ruleOr((isPatch ? patch : applyConfiguration)?.expression ?? "", scope) };
}

interface Judged {
  readonly context: WriteContext;
  readonly judging: Judging;
}

function changeBy(policy: MutatingPolicy, request: AdmissionRequest, judged: Judged): void {
  const attributes = attributesOf(request, judged.context);
  const { ready, troubled } = invocations(policy, attributes, judged);
  const refuse = (binding: string | undefined, message: string) => {
    if (policy.isIgnored) return;
    const by = binding === undefined ? "" : ` with binding '${binding}'`;
    throw mutationRefusal(attributes, `policy '${policy.name}'${by} denied request: ${message}`);
  };
  for (const { binding, message } of troubled) refuse(binding?.name, message);
  for (const { binding, bindings } of ready) {
    const budget = new Budget(POLICY_BUDGET);
    for (const change of policy.changes) {
      const problem = changeOnce(change, { request, budget, ...judged, bindings, policy });
      if (problem !== undefined) refuse(binding.name, problem);
    }
  }
}

interface Turn extends Judged {
  readonly request: AdmissionRequest;
  readonly budget: Budget;
  readonly bindings: Bindings;
  readonly policy: MutatingPolicy;
}

/** Why a mutation could not be made; undefined when it was. Each one sees what those before it did. */
function changeOnce({ isPatch, rule }: Change, turn: Turn): string | undefined {
  const { request, budget, bindings, policy, context } = turn;
  if (rule instanceof CelFault) return rule.message;
  try {
    const fresh = withVariables(
      { ...bindings, object: copyJson(faceOf(request, request.draft as JsonObject)) },
      policy.variables,
    );
    const said = toJson(rule.evaluate(fresh, budget)) as Json;
    const made = isPatch
      ? patched(faceOf(request, request.draft as JsonObject), said)
      : applied(request, said);
    if ("problem" in made) return made.problem;
    replaceDraft(request, made.next, context);
    return undefined;
  } catch (error) {
    if (error instanceof CelFault) return `expression '${rule.source}' resulted in error: ${error.message}`;
    throw error;
  }
}

/** What a mutation makes of an object, or why it cannot. */
type Made = { readonly next: Json } | { readonly problem: string };

/** A patch whose test fails is not made, and that is nobody's fault. */
function patched(draft: JsonObject, operations: Json): Made {
  try {
    return { next: jsonPatch(draft, operations) };
  } catch (error) {
    if (!isFault(error)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    return why.endsWith(TEST_FAILED) ? { next: draft } : { problem: `JSON Patch: ${why}` };
  }
}

/** Merged as a server-side apply would be. */
function applied({ draft, spec }: AdmissionRequest, config: Json): Made {
  if (!isObject(config)) throw new CelFault("runtime", "the apply configuration is no object");
  const misfit = spec.custom === undefined ? misfitOf(config, typeOf(spec)) : undefined;
  if (misfit !== undefined)
    return { problem: `error applying patch: failed to convert patch object to typed object: ${misfit}` };
  const { apiVersion, kind } = draft;
  const merged = mergeTyped(draft as JsonObject, config, typeOf(spec));
  return { next: isObject(merged) ? { ...merged, apiVersion, kind } : merged };
}

/** Why a configuration is none of its kind. */
function misfitOf(config: JsonObject, type: FieldType): string | undefined {
  try {
    const [unknown] = conform(copyJson(config), type).unknown;
    return unknown === undefined ? undefined : `.${unknown}: field not declared in schema`;
  } catch (error) {
    if (error instanceof MisfitFault) return error.message;
    throw error;
  }
}
