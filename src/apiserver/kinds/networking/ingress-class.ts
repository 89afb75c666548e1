import type { IngressClass } from "#kube/generated/types";
import { INGRESS_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid, required } from "../field/error.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { NONE } from "../print/words.ts";

export const IS_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class";

export const ingressClasses: KindSpec<IngressClass> = kindSpec<IngressClass>({
  resource: INGRESS_CLASSES,
  definition: "io.k8s.api.networking.v1.IngressClass",
  generation: "spec",
  defaults: (draft) => {
    if (draft.spec?.parameters) draft.spec.parameters.scope ??= "Cluster";
  },
  validate: ({ spec }) => (spec?.controller ? [] : [required("spec.controller")]),
  validateUpdate: (object, stored) =>
    object.spec?.controller === stored.spec?.controller
      ? []
      : [invalid("spec.controller", object.spec?.controller, "field is immutable")],
  ...printer<IngressClass>([
    {
      ...nameColumn,
      cell: ({ metadata }) =>
        metadata.annotations?.[IS_DEFAULT_CLASS] === "true" ? `${metadata.name} (default)` : metadata.name,
    },
    text("Controller", ({ spec }) => spec?.controller ?? ""),
    text("Parameters", ({ spec }) => parametersText(spec?.parameters)),
    ageColumn,
  ]),
});

function parametersText(
  parameters: { apiGroup?: string | undefined; kind: string; name: string } | undefined,
): string {
  if (parameters === undefined) return NONE;
  const kind = parameters.apiGroup ? `${parameters.kind}.${parameters.apiGroup}` : parameters.kind;
  return `${kind}/${parameters.name}`;
}
