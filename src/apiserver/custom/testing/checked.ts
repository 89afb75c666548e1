import type { CustomResourceDefinition, JSONSchemaProps } from "#kube/generated/types";
import type { FieldError } from "../../kinds/kind.ts";
import { fieldErrorBody } from "../../status.ts";
import { definitionErrors } from "../definition-check.ts";
import { type Body, definition } from "./definition.ts";

/** Where the schema of the first version stands. */
export const ROOT = "spec.versions[0].schema.openAPIV3Schema";

/** A definition as it is checked: with what the server fills in. */
export function made(
  change: (body: Body) => void,
  spec: JSONSchemaProps = { type: "object" },
): CustomResourceDefinition {
  const body = definition({ group: "example.com" }, spec, (fresh) => {
    fresh.spec.names.singular = "thing";
    fresh.spec.names.listKind = "ThingList";
    fresh.status = { storedVersions: ["v1"] };
    change(fresh);
  });
  return body;
}

/** Errors as lines, `ROOT` for the schema's place. */
export const show = (errors: readonly FieldError[]) =>
  errors.map((error) => `${error.path.replace(ROOT, "ROOT")}: ${fieldErrorBody(error)}`);

/** What is wrong with a schema whose `spec` is this. */
export const ofSpec = (spec: JSONSchemaProps) => show(definitionErrors(made(() => {}, spec)));
