import { parseTerms, type Requirement } from "../select/fields.ts";
import { StatusFault } from "../status.ts";

/** What someone wants to do to a resource; `name` is empty when there is none. */
export interface ResourceAttributes {
  readonly verb: string;
  readonly group: string;
  readonly version?: string;
  readonly plural: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** What a list, watch or deletecollection is narrowed to. */
  readonly fields?: readonly Requirement[];
}

export interface PathAttributes {
  readonly verb: string;
  readonly path: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** Why; empty when there is nothing to say. */
  readonly reason: string;
}

const COLLECTION_VERBS = new Set(["list", "watch", "deletecollection"]);

/** The selector of a request on a collection, and the one name it allows when it says so: such a request counts as one for that object. A selector
 *  that cannot be read narrows nothing (the verb refuses it later). */
export function narrowed(
  verb: string,
  fieldSelector: string | null,
): { readonly fields: readonly Requirement[]; readonly name: string | undefined } {
  const fields = COLLECTION_VERBS.has(verb) ? termsOf(fieldSelector ?? "") : [];
  const name = fields.find(({ field, equal }) => field === "metadata.name" && equal)?.value;
  return { fields, name: name === undefined || !isPathSegment(name) ? undefined : name };
}

function termsOf(text: string): readonly Requirement[] {
  try {
    return parseTerms(text);
  } catch (error) {
    if (error instanceof StatusFault) return [];
    throw error;
  }
}

/** Whether a name can stand in a URL as one part of it. */
function isPathSegment(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/%]/.test(name);
}
