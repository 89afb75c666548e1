import { StatusFault } from "../status.ts";

/** The form in which a client takes an object. `Table` and `PartialObjectMetadata` come in versions. */
export interface Form {
  readonly as:
    | "object"
    | "Table"
    | "PartialObjectMetadata"
    | "PartialObjectMetadataList"
    | "APIGroupDiscoveryList";
  readonly version: string;
}

interface Clause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly q: number;
}

const OBJECT: Form = { as: "object", version: "" };
const TRANSFORMS: Readonly<Record<string, { readonly group: string; readonly versions: readonly string[] }>> =
  {
    Table: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
    PartialObjectMetadata: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
    PartialObjectMetadataList: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
    APIGroupDiscoveryList: { group: "apidiscovery.k8s.io", versions: ["v2"] },
  };

/** The first clause of an Accept header that can be honoured. Protobuf is answered in JSON when JSON is accepted too, or when nothing else is:
 *  every client that lists protobuf decodes by the Content-Type of the answer. @throws {StatusFault} NotAcceptable */
export function chooseForm(accept: string | undefined, allowed: ReadonlySet<Form["as"]>): Form {
  const clauses = parseAccept(accept ?? "");
  if (clauses.length === 0) return OBJECT;
  for (const { type, parameters } of clauses) {
    const as = parameters["as"];
    if (as === undefined) {
      if (isServed(type)) return OBJECT;
      continue;
    }
    const transform = TRANSFORMS[as];
    const version = parameters["v"] ?? "";
    const isKnown = transform?.group === parameters["g"] && transform?.versions.includes(version);
    // The keys of TRANSFORMS are forms.
    if (isKnown && isServed(type) && allowed.has(as as Form["as"])) return { as: as as Form["as"], version };
  }
  throw new StatusFault(
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
  );
}

/** Refuses clients that take objects in protobuf only, for objects that nobody can write so. @throws {StatusFault} NotAcceptable */
export function requireJson(accept: string | undefined): void {
  const clauses = parseAccept(accept ?? "");
  const isOther = ({ type, parameters }: Clause) =>
    type !== "application/vnd.kubernetes.protobuf" || parameters["as"] !== undefined;
  if (clauses.length === 0 || clauses.some(isOther)) return;
  throw new StatusFault(
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/yaml",
  );
}

function isServed(type: string): boolean {
  return SERVED.has(type);
}

const SERVED = new Set([
  "application/json",
  "application/yaml",
  "application/vnd.kubernetes.protobuf",
  "application/*",
  "*/*",
]);

/** Whether YAML is what the client would rather have. */
export function prefersYaml(accept: string | undefined): boolean {
  if (!accept?.includes("application/yaml")) return false;
  return parseAccept(accept).find(({ type }) => isServed(type))?.type === "application/yaml";
}

function parseAccept(accept: string): Clause[] {
  return accept
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(parseClause)
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q);
}

export function parseClause(text: string): Clause {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters: Record<string, string> = {};
  for (const part of rest) {
    const equals = part.indexOf("=");
    if (equals > 0)
      parameters[part.slice(0, equals).toLowerCase()] = part.slice(equals + 1).replace(/^"|"$/g, "");
  }
  const q = Number(parameters["q"] ?? "1");
  return { type: type.toLowerCase(), parameters, q: Number.isFinite(q) ? q : 0 };
}
