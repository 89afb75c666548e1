import type { KubeObject } from "#kube/object";
import type { KindSpec } from "../kinds/kind.ts";
import { badRequest } from "../status.ts";

/** One term of a field selector. */
export interface Requirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** A field selector, ready to ask of objects of one kind. */
export interface FieldSelector {
  readonly requirements: readonly Requirement[];
  matches(object: KubeObject): boolean;
  /** The one name it allows, when it says so. */
  readonly name: string | undefined;
}

const NAME = "metadata.name";
const NAMESPACE = "metadata.namespace";

/** Reads `a=b,c!=d`; undefined when there is nothing to select. @throws {StatusFault} BadRequest for bad syntax and fields the kind does not offer */
export function parseFieldSelector(text: string | null, spec: KindSpec): FieldSelector | undefined {
  if (text === null || text === "") return undefined;
  const requirements = parseTerms(text);
  for (const { field } of requirements) checkField(field, spec);
  return {
    requirements,
    matches: (object) => {
      const extra = spec.selectableFields?.(object);
      return requirements.every(({ field, equal, value }) => {
        const actual =
          field === NAME
            ? object.metadata.name
            : field === NAMESPACE
              ? object.metadata.namespace
              : extra?.[field];
        return ((actual ?? "") === value) === equal;
      });
    },
    name: requirements.find(({ field, equal }) => field === NAME && equal)?.value,
  };
}

/** Kinds whose labels upstream reads by a function of their own, which words its refusal its own way. */
const CONVERTED = new Set([
  "CertificateSigningRequest",
  "Event",
  "Namespace",
  "Node",
  "Pod",
  "ReplicationController",
  "Secret",
  "Service",
]);

function checkField(field: string, spec: KindSpec): void {
  if (field === NAME || (field === NAMESPACE && spec.resource.namespaced)) return;
  const blank: KubeObject = { metadata: { name: "" } };
  const offered = offeredFields(spec, blank);
  if (offered === undefined || Object.hasOwn(offered, field)) return;
  throw badRequest(
    CONVERTED.has(spec.resource.kind)
      ? `field label not supported: ${field}`
      : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

/** The kind's own selectable fields as an empty object has them; undefined when it cannot say. */
function offeredFields(spec: KindSpec, blank: KubeObject): Readonly<Record<string, string>> | undefined {
  try {
    return spec.selectableFields?.(blank) ?? {};
  } catch {
    return undefined;
  }
}

/** The terms of a selector, whatever kind it is for. @throws {StatusFault} BadRequest */
export function parseTerms(text: string): readonly Requirement[] {
  return splitTerms(text).map((term) => parseTerm(term, text));
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let term = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char === "\\") term += char + (text[++i] ?? "");
    else if (char === ",") {
      terms.push(term);
      term = "";
    } else term += char;
  }
  terms.push(term);
  return terms.filter((each) => each !== "");
}

function parseTerm(term: string, whole: string): Requirement {
  const match = /^((?:\\.|[^\\=!])*)(==|!=|=)(.*)$/s.exec(term);
  if (match === null) throw badRequest(`invalid selector: '${whole}'; can't understand '${term}'`);
  const [, field = "", operator, value = ""] = match;
  return { field: field.trim(), equal: operator !== "!=", value: unquote(value.trim(), whole) };
}

function unquote(value: string, whole: string): string {
  if (/(?:^|[^\\])(?:\\\\)*\\(?![\\,=])/.test(value))
    throw badRequest(`invalid selector: '${whole}'; invalid escape sequence in '${value}'`);
  return value.replace(/\\([\\,=])/g, "$1");
}
