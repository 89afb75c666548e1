import type { Namespace } from "#kube/generated/types";
import { NAMESPACES } from "#kube/resources";
import { ALL_VERBS, kindSpec } from "../base.ts";
import { invalid, problems } from "../field/error.ts";
import { validateFinalizerName } from "../field/meta.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { Draft, FieldError, KindSpec, Part } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";

/** Carries the namespace's own name, so that selectors can name it. */
const NAME_LABEL = "kubernetes.io/metadata.name";

export const namespaces: KindSpec<Namespace> = kindSpec<Namespace>({
  resource: NAMESPACES,
  definition: "io.k8s.api.core.v1.Namespace",
  shortNames: ["ns"],
  verbs: ALL_VERBS.filter((verb) => verb !== "deletecollection"),
  hasStatus: true,
  deleteReturnsObject: true,
  nameRule: "label",
  defaults: (draft) => {
    labelOwnName(draft);
    draft.status ??= {};
    draft.status.phase ||= "Active";
  },
  prepareCreate: (draft) => {
    draft.status = { phase: "Active" };
    draft.spec ??= {};
    draft.spec.finalizers ??= [];
    if (!draft.spec.finalizers.includes("kubernetes")) draft.spec.finalizers.push("kubernetes");
    labelOwnName(draft);
  },
  prepareUpdate: (draft, stored) => {
    draft.spec = { ...draft.spec, finalizers: stored.spec?.finalizers };
    draft.status = stored.status;
  },
  validate: ({ spec }) =>
    (spec?.finalizers ?? []).flatMap((name) => [
      ...problems("spec.finalizers", name, qualifiedNameProblems(name)),
      ...validateFinalizerName("spec.finalizers", name),
    ]),
  validatePart,
  selectableFields: (namespace) => ({ "status.phase": namespace.status?.phase ?? "" }),
  ...printer<Namespace>([
    nameColumn,
    text("Status", (namespace) => namespace.status?.phase ?? ""),
    ageColumn,
  ]),
});

/** A namespace is Active until it is deleted, and Terminating from then on. */
function validatePart(part: Part, { metadata, spec, status }: Namespace): readonly FieldError[] {
  if (part === "finalize")
    return (spec?.finalizers ?? []).flatMap((name, i) =>
      validateFinalizerName(`spec.finalizers[${i}]`, name),
    );
  const isGoing = metadata.deletionTimestamp !== undefined;
  const wanted = isGoing ? "Terminating" : "Active";
  if (status?.phase === wanted) return [];
  const when = isGoing ? "is not empty" : "is empty";
  return [
    invalid("status.Phase", status?.phase ?? "", `may only be '${wanted}' if \`deletionTimestamp\` ${when}`),
  ];
}

function labelOwnName(draft: Draft): void {
  if (!draft.metadata?.name) return;
  draft.metadata.labels = { ...draft.metadata.labels, [NAME_LABEL]: draft.metadata.name };
}
