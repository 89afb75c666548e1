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
import { canonicalJson, copyJson, isObject, type Json, type JsonObject, objectAt } from "../../json.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { jsonPatch } from "../../patch/json-patch.ts";
import { typeOf } from "../../schema.ts";
import { attributesOf, isExempt } from "../dynamic/attributes.ts";
import { faceOf } from "../dynamic/face.ts";
import { replaceDraft } from "../dynamic/replace.ts";
import { policyRefusal } from "./decision.ts";
import { invocations, type Judging } from "./invoke.ts";
import { Policies, type Policy } from "./policy.ts";
import { POLICY_BUDGET } from "./validating.ts";
import { ruleOr, withVariables } from "./variables.ts";

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
    throw policyRefusal(
      attributes,
      `MutatingAdmissionPolicy '${policy.name}'${by} denied request: ${message}`,
      "Invalid",
    );
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
    const next = isPatch
      ? patched(faceOf(request, request.draft as JsonObject), said)
      : applied(request, said);
    replaceDraft(request, next, context);
    return undefined;
  } catch (error) {
    if (error instanceof CelFault) return `expression '${rule.source}' resulted in error: ${error.message}`;
    if (isFault(error)) return error.cause instanceof Error ? error.cause.message : error.message;
    throw error;
  }
}

function patched(draft: JsonObject, operations: Json): Json {
  return jsonPatch(draft, operations);
}

/** Merged as a server-side apply would be. What tells the object apart may not be changed so. */
function applied({ draft, spec }: AdmissionRequest, config: Json): Json {
  if (!isObject(config)) throw new CelFault("runtime", "the apply configuration is no object");
  const { apiVersion, kind } = draft;
  const { name, namespace } = objectAt(draft, "metadata") ?? {};
  const merged = mergeTyped(draft as JsonObject, config, typeOf(spec));
  if (!isObject(merged)) return merged;
  const metadata = {
    ...objectAt(merged, "metadata"),
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { ...merged, apiVersion, kind, metadata };
}
