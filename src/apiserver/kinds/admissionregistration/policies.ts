import type { MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from "#kube/generated/types";
import { MUTATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICIES } from "#kube/resources";
import { sameJson } from "../../json.ts";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { ageColumn, count, nameColumn, printer, text } from "../print/printer.ts";
import { validateMutatingPolicy, validateValidatingPolicy } from "./policy-validation.ts";
import { defaultMatch } from "./rules.ts";

export const validatingAdmissionPolicies: KindSpec<ValidatingAdmissionPolicy> =
  kindSpec<ValidatingAdmissionPolicy>({
    resource: VALIDATING_ADMISSION_POLICIES,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    categories: ["api-extensions"],
    hasStatus: true,
    generation: "spec",
    defaults: (draft) => defaultPolicy(draft.spec),
    prepareCreate: (draft) => {
      // Expressions are checked when they are written: there is nothing left to find later.
      draft.status = { observedGeneration: 1, typeChecking: {} };
    },
    prepareUpdate: (draft, stored) => {
      const { generation = 1 } = stored.metadata;
      const observedGeneration = sameJson(draft.spec, stored.spec) ? generation : generation + 1;
      draft.status = { ...draft.status, observedGeneration, typeChecking: draft.status?.typeChecking ?? {} };
    },
    validate: validateValidatingPolicy,
    ...printer<ValidatingAdmissionPolicy>([
      nameColumn,
      count("Validations", ({ spec }) => spec?.validations?.length ?? 0),
      text("ParamKind", ({ spec }) => paramKindText(spec?.paramKind)),
      ageColumn,
    ]),
  });

export const mutatingAdmissionPolicies: KindSpec<MutatingAdmissionPolicy> = kindSpec<MutatingAdmissionPolicy>(
  {
    resource: MUTATING_ADMISSION_POLICIES,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
    categories: ["api-extensions"],
    generation: "spec",
    defaults: (draft) => defaultPolicy(draft.spec),
    validate: validateMutatingPolicy,
    ...printer<MutatingAdmissionPolicy>([
      nameColumn,
      count("Mutations", ({ spec }) => spec?.mutations?.length ?? 0),
      text("ParamKind", ({ spec }) => paramKindText(spec?.paramKind)),
      ageColumn,
    ]),
  },
);

function paramKindText(
  kind: { apiVersion?: string | undefined; kind?: string | undefined } | undefined,
): string {
  return kind === undefined ? "<unset>" : `${kind.apiVersion}/${kind.kind}`;
}

function defaultPolicy(spec: Draft): void {
  if (!spec) return;
  spec.failurePolicy ??= "Fail";
  defaultMatch(spec.matchConstraints);
}
