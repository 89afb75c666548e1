import type {
  MutatingAdmissionPolicy,
  Mutation,
  ValidatingAdmissionPolicy,
  Validation,
  Variable,
} from "#kube/generated/types";
import { type AdmissionScope, admissionEnvironment } from "../../cel/admission.ts";
import { JSON_PATCH_TYPE, OBJECT_TYPE } from "../../cel/mutation.ts";
import { DYN, listOf, NULL, STRING, type Type } from "../../cel/types.ts";
import { duplicate, invalid, notSupported, required } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";
import { compiled, conditionErrors, expressionErrors, MUST_BE_BOOL } from "./expressions.ts";
import { validateMatch } from "./rules.ts";
import { FAILURE_POLICIES } from "./webhooks.ts";

const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const PATCH_TYPES = ["ApplyConfiguration", "JSONPatch"];

/** @see validateValidatingAdmissionPolicySpec of kube-apiserver */
export function validateValidatingPolicy({
  spec,
  metadata,
}: ValidatingAdmissionPolicy): readonly FieldError[] {
  if (spec === undefined) return [required("spec")];
  const { validations = [], auditAnnotations = [] } = spec;
  const { errors, scope } = validateShared(spec, false);
  if (validations.length === 0 && auditAnnotations.length === 0)
    errors.push(
      ...["spec.validations", "spec.auditAnnotations"].map((path) =>
        required(path, "validations or auditAnnotations must contain at least one item"),
      ),
    );
  const environment = admissionEnvironment(scope);
  const keys = new Set<string>();
  return [
    ...errors,
    ...validations.flatMap((validation, i) =>
      validateValidation(`spec.validations[${i}]`, validation, scope),
    ),
    ...auditAnnotations.flatMap(({ key, valueExpression }, i) => {
      const path = `spec.auditAnnotations[${i}]`;
      const fullKey = `${metadata.name}/${key}`;
      const problems = qualifiedNameProblems(fullKey).map((why) => invalid(`${path}.key`, fullKey, why));
      const isTwice = keys.has(key);
      keys.add(key);
      return [
        ...problems,
        ...(valueExpression?.trim()
          ? expressionErrors(`${path}.valueExpression`, valueExpression, {
              environment,
              types: [STRING, NULL],
            })
          : [required(`${path}.valueExpression`, "valueExpression is not specified")]),
        ...(isTwice ? [duplicate(`${path}.key`, key)] : []),
      ];
    }),
  ];
}

export function validateMutatingPolicy({ spec }: MutatingAdmissionPolicy): readonly FieldError[] {
  if (spec === undefined) return [required("spec")];
  const { errors, scope } = validateShared(spec, true);
  const { mutations = [], reinvocationPolicy } = spec;
  if (mutations.length === 0)
    errors.push(required("spec.mutations", "mutations must contain at least one item"));
  errors.push(
    ...mutations.flatMap((mutation, i) => validateMutation(`spec.mutations[${i}]`, mutation, scope)),
  );
  if (!reinvocationPolicy) errors.push(required("spec.reinvocationPolicy"));
  else if (!["Never", "IfNeeded"].includes(reinvocationPolicy))
    errors.push(notSupported("spec.reinvocationPolicy", reinvocationPolicy, ["IfNeeded", "Never"]));
  return errors;
}

type SharedSpec =
  | NonNullable<ValidatingAdmissionPolicy["spec"]>
  | NonNullable<MutatingAdmissionPolicy["spec"]>;

/** What both kinds of policy have, and what their expressions may name. */
function validateShared(
  spec: SharedSpec,
  mutates: boolean,
): { readonly errors: FieldError[]; readonly scope: AdmissionScope } {
  const errors: FieldError[] = [];
  const { failurePolicy, paramKind } = spec;
  if (failurePolicy !== undefined && !FAILURE_POLICIES.includes(failurePolicy))
    errors.push(notSupported("spec.failurePolicy", failurePolicy, FAILURE_POLICIES));
  if (paramKind !== undefined) errors.push(...paramKindErrors("spec.paramKind", paramKind));
  errors.push(...validateMatch("spec.matchConstraints", spec.matchConstraints, { needsRules: true }));
  const policy = { hasParams: paramKind !== undefined };
  errors.push(...conditionErrors("spec.matchConditions", spec.matchConditions, { policy }));
  const variables = validateVariables(spec.variables ?? [], { policy, mutates }, errors);
  return { errors, scope: { policy, mutates, variables } };
}

function paramKindErrors(
  path: string,
  { apiVersion = "", kind = "" }: { apiVersion?: string | undefined; kind?: string | undefined },
): FieldError[] {
  const errors: FieldError[] = [];
  if (apiVersion === "") errors.push(required(`${path}.apiVersion`));
  else if (!/^([a-z0-9.-]+\/)?v[a-z0-9]+$/.test(apiVersion))
    errors.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  if (kind === "") errors.push(required(`${path}.kind`));
  else if (!/^[A-Za-z][A-Za-z0-9]*$/.test(kind))
    errors.push(invalid(`${path}.kind`, kind, "must be the name of a kind"));
  return errors;
}

/** Each variable may use those before it. */
function validateVariables(
  variables: readonly Variable[],
  scope: AdmissionScope,
  errors: FieldError[],
): Readonly<Record<string, Type>> {
  const types: Record<string, Type> = {};
  for (const [i, { name, expression }] of variables.entries()) {
    const path = `spec.variables[${i}]`;
    if (!name) errors.push(required(`${path}.name`, "name is not specified"));
    else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      errors.push(invalid(`${path}.name`, name, "must be a valid CEL identifier"));
    if (!expression?.trim()) {
      errors.push(required(`${path}.expression`, "expression is not specified"));
      continue;
    }
    const environment = admissionEnvironment({ ...scope, variables: { ...types } });
    const { rule, problem } = compiled(expression, environment);
    if (problem !== undefined) errors.push(invalid(`${path}.expression`, expression, problem));
    types[name] = rule?.type ?? DYN;
  }
  return types;
}

function validateValidation(
  path: string,
  validation: Validation,
  scope: AdmissionScope,
): readonly FieldError[] {
  const { expression, message, messageExpression, reason } = validation;
  const errors: FieldError[] = [];
  const environment = admissionEnvironment(scope);
  if (!expression?.trim()) errors.push(required(`${path}.expression`, "expression is not specified"));
  else errors.push(...expressionErrors(`${path}.expression`, expression, { environment, ...MUST_BE_BOOL }));
  if (messageExpression !== undefined && messageExpression.trim() === "")
    errors.push(invalid(`${path}.messageExpression`, messageExpression, "must be non-empty if specified"));
  else if (messageExpression !== undefined)
    errors.push(
      ...expressionErrors(`${path}.messageExpression`, messageExpression, {
        // What a message says may not depend on rights.
        environment: admissionEnvironment({ ...scope, hasAuthorizer: false }),
        types: [STRING],
      }),
    );
  if (message !== undefined && message.trim() === "")
    errors.push(invalid(`${path}.message`, message, "must be non-empty if specified"));
  else if (message?.includes("\n"))
    errors.push(invalid(`${path}.message`, message, "must not contain line breaks"));
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${path}.reason`, reason, REASONS));
  return errors;
}

function validateMutation(path: string, mutation: Mutation, scope: AdmissionScope): readonly FieldError[] {
  const { patchType, applyConfiguration, jsonPatch } = mutation;
  if (!patchType) return [required(`${path}.patchType`)];
  if (!PATCH_TYPES.includes(patchType)) return [notSupported(`${path}.patchType`, patchType, PATCH_TYPES)];
  const isApply = patchType === "ApplyConfiguration";
  const field = isApply ? "applyConfiguration" : "jsonPatch";
  const other = isApply ? jsonPatch : applyConfiguration;
  const expression = (isApply ? applyConfiguration : jsonPatch)?.expression;
  const otherField = isApply ? "jsonPatch" : "applyConfiguration";
  const errors: FieldError[] = [];
  if ((isApply ? applyConfiguration : jsonPatch) === undefined)
    errors.push(required(`${path}.${field}`, `must be specified when patchType is ${patchType}`));
  if (other !== undefined)
    errors.push(
      invalid(
        `${path}.${otherField}`,
        `{${otherField}}`,
        `must not be specified when patchType is ${patchType}`,
      ),
    );
  if (errors.length > 0) return errors;
  if (!expression?.trim()) return [required(`${path}.${field}.expression`, "expression is not specified")];
  return expressionErrors(`${path}.${field}.expression`, expression, {
    environment: admissionEnvironment(scope),
    types: isApply ? [OBJECT_TYPE] : [listOf(JSON_PATCH_TYPE)],
  });
}
