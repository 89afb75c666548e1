import type { KubeObject } from "#kube/object";
import { toGoForm } from "../codec/go-form.ts";
import { withoutNulls } from "./field/nulls.ts";
import type { KindSpec, Verb } from "./kind.ts";
import { createdAtColumn, nameColumn, printer } from "./print/printer.ts";

export const ALL_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

type Given<T extends KubeObject> = Partial<KindSpec<T>> & Pick<KindSpec<T>, "resource" | "definition">;

/** A kind that differs from the plainest one (all verbs, no status, no generation, name and creation time printed) by `given`. */
export function kindSpec<T extends KubeObject>(given: Given<T>): KindSpec<T> {
  const { validate, validateCreate, validateUpdate, validatePart, warnings } = given;
  return {
    singular: given.resource.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    hasStatus: false,
    generation: "none",
    createsOnUpdate: false,
    requiresVersion: false,
    deleteReturnsObject: false,
    nameRule: "subdomain",
    ...printer<T>([nameColumn, createdAtColumn]),
    ...given,
    defaults: (draft, context) => {
      toGoForm(draft, given.definition);
      given.defaults?.(draft, context);
    },
    // Go writes null for what is always written and is not there; to whoever checks, it is just not there
    ...(validate && { validate: (object, context) => validate(withoutNulls(object), context) }),
    ...(validateCreate && {
      validateCreate: (object, context) => validateCreate(withoutNulls(object), context),
    }),
    ...(validateUpdate && {
      validateUpdate: (object, stored, context) =>
        validateUpdate(withoutNulls(object), withoutNulls(stored), context),
    }),
    ...(validatePart && {
      validatePart: (part, object, stored, context) =>
        validatePart(part, withoutNulls(object), withoutNulls(stored), context),
    }),
    ...(warnings && {
      warnings: (object, stored) => warnings(withoutNulls(object), stored && withoutNulls(stored)),
    }),
  };
}
