import type {
  MutatingAdmissionPolicyBinding,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from "#kube/generated/types";
import { MUTATING_ADMISSION_POLICY_BINDINGS, VALIDATING_ADMISSION_POLICY_BINDINGS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { duplicate, forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { pathSegmentProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { defaultMatch, validateMatch } from "./rules.ts";

const ACTIONS = ["Audit", "Deny", "Warn"];
const NOT_FOUND_ACTIONS = ["Deny", "Allow"];

export const validatingAdmissionPolicyBindings: KindSpec<ValidatingAdmissionPolicyBinding> =
  kindSpec<ValidatingAdmissionPolicyBinding>({
    resource: VALIDATING_ADMISSION_POLICY_BINDINGS,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    categories: ["api-extensions"],
    generation: "spec",
    defaults: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => [...validateBinding(spec), ...actionErrors(spec?.validationActions)],
    ...printer<ValidatingAdmissionPolicyBinding>([
      nameColumn,
      text("PolicyName", ({ spec }) => spec.policyName),
      text("ParamRef", ({ spec }) => paramRefText(spec.paramRef)),
      ageColumn,
    ]),
  });

export const mutatingAdmissionPolicyBindings: KindSpec<MutatingAdmissionPolicyBinding> =
  kindSpec<MutatingAdmissionPolicyBinding>({
    resource: MUTATING_ADMISSION_POLICY_BINDINGS,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    categories: ["api-extensions"],
    generation: "spec",
    defaults: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => validateBinding(spec),
    ...printer<MutatingAdmissionPolicyBinding>([
      nameColumn,
      text("PolicyName", ({ spec }) => spec?.policyName ?? ""),
      text("ParamRef", ({ spec }) => paramRefText(spec?.paramRef)),
      ageColumn,
    ]),
  });

function paramRefText(ref: ParamRef | undefined): string {
  if (ref === undefined) return "<unset>";
  if (ref.name) return ref.namespace ? `${ref.namespace}/${ref.name}` : `*/${ref.name}`;
  return ref.selector === undefined ? "<unset>" : JSON.stringify(ref.selector);
}

type Spec = NonNullable<MutatingAdmissionPolicyBinding["spec"]> | ValidatingAdmissionPolicyBinding["spec"];

function validateBinding(spec: Spec | undefined): readonly FieldError[] {
  return [
    ...(spec?.policyName
      ? problems("spec.policyName", spec.policyName, subdomainProblems(spec.policyName))
      : [required("spec.policyName")]),
    ...(spec?.paramRef ? paramRefErrors("spec.paramRef", spec.paramRef) : []),
    ...validateMatch("spec.matchResources", spec?.matchResources, { needsRules: false }),
  ];
}

function paramRefErrors(path: string, ref: ParamRef): readonly FieldError[] {
  const { name, selector, parameterNotFoundAction: action } = ref;
  const errors: FieldError[] = [];
  const both = "name and selector are mutually exclusive";
  if (name && selector) errors.push(forbidden(`${path}.name`, both), forbidden(`${path}.selector`, both));
  else if (name) errors.push(...problems(`${path}.name`, name, pathSegmentProblems(name)));
  else if (!name && selector === undefined)
    errors.push(required(path, "one of name or selector must be specified"));
  if (!action) errors.push(required(`${path}.parameterNotFoundAction`));
  else if (!NOT_FOUND_ACTIONS.includes(action))
    errors.push(notSupported(`${path}.parameterNotFoundAction`, action, NOT_FOUND_ACTIONS));
  return [...errors, ...validateLabelSelector(`${path}.selector`, selector)];
}

function actionErrors(actions: readonly string[] | undefined): readonly FieldError[] {
  const path = "spec.validationActions";
  if (!actions?.length) return [required(path, "at least one validation action is required")];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) errors.push(notSupported(`${path}[${i}]`, action, ACTIONS));
    if (seen.has(action)) errors.push(duplicate(`${path}[${i}]`, action));
    seen.add(action);
  }
  if (seen.has("Deny") && seen.has("Warn"))
    errors.push(
      invalid(
        path,
        actions,
        "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
      ),
    );
  return errors;
}
