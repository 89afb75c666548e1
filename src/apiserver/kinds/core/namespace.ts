import type { Namespace } from "#kube/generated/types";
import { NAMESPACES } from "#kube/resources";
import { ALL_VERBS, kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
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
  defaults: labelOwnName,
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
  selectableFields: (namespace) => ({ "status.phase": namespace.status?.phase ?? "" }),
  ...printer<Namespace>([
    nameColumn,
    text("Status", (namespace) => namespace.status?.phase ?? ""),
    ageColumn,
  ]),
});

function labelOwnName(draft: Draft): void {
  if (!draft.metadata?.name) return;
  draft.metadata.labels = { ...draft.metadata.labels, [NAME_LABEL]: draft.metadata.name };
}
