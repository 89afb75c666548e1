import type { KubeObject } from "#kube/object";
import { toGoForm } from "../codec/go-form.ts";
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
  };
}
