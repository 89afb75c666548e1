import { explain } from "#fault/fault";
import { matchesSelector, parseSelector } from "#kube/label-selector";
import type { KubeObject } from "#kube/object";
import type { Stored } from "../cache/stored.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { badRequest } from "../status.ts";
import { type FieldSelector, parseFieldSelector } from "./fields.ts";

/** Which objects of a resource a list, watch or deletecollection is about. */
export interface Selection {
  /** Keys of matching objects begin with this. */
  readonly prefix: string;
  /** Undefined when every object with the prefix is meant: nothing needs to be looked into. */
  readonly matches: ((stored: Stored) => boolean) | undefined;
  /** The one name that is asked for. */
  readonly name: string | undefined;
}

/** @throws {StatusFault} BadRequest when a selector cannot be read */
export function parseSelection(
  spec: KindSpec,
  query: URLSearchParams,
  scope: { readonly namespace: string | undefined; readonly name?: string | undefined },
): Selection {
  const labels = labelMatcher(query.get("labelSelector"));
  const fields = parseFieldSelector(query.get("fieldSelector"), spec);
  const name = scope.name ?? fields?.name;
  const onlyName =
    fields?.requirements.every(({ field, equal }) => field === "metadata.name" && equal) ?? true;
  return {
    prefix: scope.namespace === undefined ? "" : `${scope.namespace}/`,
    matches: combine(labels, fieldMatcher(fields, onlyName), name),
    name,
  };
}

export function isSelected({ prefix, matches }: Selection, stored: Stored | undefined): boolean {
  return stored?.key.startsWith(prefix) === true && (matches === undefined || matches(stored));
}

/** What is cheap to look at comes first: the name is in the key, labels are kept, fields need the object. */
function combine(
  labels: ((labels: Stored["labels"]) => boolean) | undefined,
  fields: ((object: KubeObject) => boolean) | undefined,
  name: string | undefined,
): ((stored: Stored) => boolean) | undefined {
  if (labels === undefined && fields === undefined && name === undefined) return undefined;
  return (stored) =>
    (name === undefined || stored.name === name) &&
    (labels?.(stored.labels) ?? true) &&
    (fields?.(stored.object) ?? true);
}

function fieldMatcher(
  fields: FieldSelector | undefined,
  onlyName: boolean,
): ((object: KubeObject) => boolean) | undefined {
  if (fields === undefined || (onlyName && fields.requirements.length <= 1)) return undefined;
  return (object) => fields.matches(object);
}

function labelMatcher(text: string | null): ((labels: Stored["labels"]) => boolean) | undefined {
  if (text === null || text.trim() === "") return undefined;
  try {
    const selector = parseSelector(text);
    return (labels) => matchesSelector(selector, labels);
  } catch (error) {
    throw badRequest(explain(error));
  }
}
