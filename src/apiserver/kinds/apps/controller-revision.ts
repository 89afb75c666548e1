import type { ControllerRevision } from "#kube/generated/types";
import { CONTROLLER_REVISIONS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { NONE } from "../print/words.ts";

export const controllerRevisions: KindSpec<ControllerRevision> = kindSpec<ControllerRevision>({
  resource: CONTROLLER_REVISIONS,
  definition: "io.k8s.api.apps.v1.ControllerRevision",
  validateUpdate: (object, stored) =>
    sameJson(object.data, stored.data) ? [] : [invalid("data", object.data, "field is immutable")],
  ...printer<ControllerRevision>([
    nameColumn,
    text("Controller", controllerText),
    text("Revision", ({ revision }) => revision),
    ageColumn,
  ]),
});

function controllerText({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return NONE;
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
