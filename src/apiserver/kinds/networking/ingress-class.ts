import type { IngressClass } from "#kube/generated/types";
import { INGRESS_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, invalid, notSupported, problems, required, tooLong } from "../field/error.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { validateReference } from "../field/references.ts";
import type { FieldError, KindSpec } from "../kind.ts";
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
  validate: validateClass,
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

const MAX_CONTROLLER = 250;
const SCOPES = ["Cluster", "Namespace"];

function validateClass({ spec }: IngressClass): readonly FieldError[] {
  const { controller = "", parameters } = spec ?? {};
  const path = "spec.controller";
  const errors: FieldError[] = [];
  if (controller === "") errors.push(required(path));
  else {
    if (controller.length > MAX_CONTROLLER) errors.push(tooLong(path, MAX_CONTROLLER));
    const [domain = "", ...rest] = controller.split("/");
    if (rest.length === 0 || domain === "" || rest.join("/") === "")
      errors.push(invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    else errors.push(...problems(path, domain, subdomainProblems(domain)));
  }
  if (parameters === undefined) return errors;
  const at = "spec.parameters";
  const { scope = "", namespace } = parameters;
  errors.push(...validateReference(at, parameters));
  if (!SCOPES.includes(scope)) errors.push(notSupported(`${at}.scope`, scope, SCOPES));
  if (scope === "Namespace" && namespace === undefined)
    errors.push(required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  if (scope === "Namespace" && namespace !== undefined)
    errors.push(...problems(`${at}.namespace`, namespace, labelProblems(namespace)));
  if (scope === "Cluster" && namespace !== undefined)
    errors.push(forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return errors;
}

function parametersText(
  parameters: { apiGroup?: string | undefined; kind: string; name: string } | undefined,
): string {
  if (parameters === undefined) return NONE;
  const kind = parameters.apiGroup ? `${parameters.kind}.${parameters.apiGroup}` : parameters.kind;
  return `${kind}/${parameters.name}`;
}
