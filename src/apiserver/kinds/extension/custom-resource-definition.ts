import type { CustomResourceDefinition } from "#kube/generated/types";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#kube/resources";
import { setCondition } from "../../custom/conditions.ts";
import { definitionErrors, definitionUpdateErrors, statusErrors } from "../../custom/definition-check.ts";
import { definitionWarnings } from "../../custom/definition-warnings.ts";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { createdAtColumn, nameColumn, printer } from "../print/printer.ts";

/** Holds a definition that is being deleted until its objects are gone. */
export const CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

/** What makes other kinds: `custom/` serves what is defined here. */
export const customResourceDefinitions: KindSpec<CustomResourceDefinition> =
  kindSpec<CustomResourceDefinition>({
    resource: CUSTOM_RESOURCE_DEFINITIONS,
    definition: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    singular: "customresourcedefinition",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    hasStatus: true,
    generation: "spec",
    requiresVersion: true,
    defaults,
    prepareCreate: (draft) => {
      draft.status = { storedVersions: [], ...storing(draft) };
    },
    prepareUpdate: (draft) => {
      draft.status = { ...draft.status, ...storing(draft) };
    },
    validateCreate: (definition) => definitionErrors(definition),
    validateUpdate: (definition, stored) => definitionUpdateErrors(definition, stored),
    validatePart: (_part, definition) => statusErrors(definition),
    warnings: definitionWarnings,
    deletion: {
      finalizers: [CLEANUP],
      mark: (draft, now) =>
        setCondition(draft, {
          type: "Terminating",
          status: "True",
          reason: "InstanceDeletionPending",
          message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
          now,
        }),
    },
    ...printer<CustomResourceDefinition>([nameColumn, createdAtColumn]),
  });

function defaults(draft: Draft): void {
  const { spec } = draft;
  if (spec === undefined) return;
  spec.conversion ??= { strategy: "None" };
  const { names } = spec;
  if (names?.kind) {
    names.singular ||= names.kind.toLowerCase();
    names.listKind ||= `${names.kind}List`;
  }
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

/** The versions that objects may be stored in, with the one they are stored in from now on. */
function storing(draft: Draft): { readonly storedVersions?: readonly string[] } {
  const stored: readonly string[] = draft.status?.storedVersions ?? [];
  const version: Draft = (draft.spec?.versions ?? []).find((each: Draft) => each.storage === true);
  if (version === undefined || stored.includes(version.name)) return { storedVersions: stored };
  return { storedVersions: [...stored, version.name] };
}
