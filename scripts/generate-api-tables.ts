/** Derives src/apiserver/generated/{schema,protobuf}.json from the Kubernetes project's own documents:
 *
 *    node scripts/generate-api-tables.ts OPENAPI_V2.json PROTOBUF_FIELDS.json
 *
 *  A type is "string", "int32", "int64", "double", "boolean", "bytes", "any", "quantity", "int-or-string", "time",
 *  "micro-time", the name of a definition, or an object: { list | map: TYPE, ...attributes }. */
import { readFileSync, writeFileSync } from "node:fs";
import goTypes from "./go-types.json" with { type: "json" };

/** What the Go types say and neither document does, by definition: fields behind pointers, fields without omitempty (`kept`), and fields
 *  with omitzero. Names are separated by blanks. */
const GO: Readonly<Record<string, { pointers?: string; kept?: string; omitsZero?: string }>> = goTypes;

interface Property {
  $ref?: string;
  type?: string;
  format?: string;
  items?: Property;
  additionalProperties?: Property;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
}
interface Gvk {
  group: string;
  version: string;
  kind: string;
}
interface Definition extends Property {
  properties?: Record<string, Property>;
  required?: string[];
  "x-kubernetes-group-version-kind"?: Gvk[];
}
type Definitions = Record<string, Definition>;
type Messages = Record<string, Record<string, [number, string]>>;

const GROUPS = new Set(
  `/v1 apps/v1 batch/v1 networking.k8s.io/v1 discovery.k8s.io/v1 events.k8s.io/v1 rbac.authorization.k8s.io/v1
  policy/v1 coordination.k8s.io/v1 storage.k8s.io/v1 scheduling.k8s.io/v1 node.k8s.io/v1 autoscaling/v1 autoscaling/v2
  authentication.k8s.io/v1 authorization.k8s.io/v1 apiextensions.k8s.io/v1 certificates.k8s.io/v1
  admissionregistration.k8s.io/v1 apiregistration.k8s.io/v1`.split(/\s+/),
);
const META = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const LEAVES: Record<string, string> = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
  [`${META}Time`]: "time",
  [`${META}MicroTime`]: "micro-time",
  [`${META}FieldsV1`]: "any",
  [`${META}Patch`]: "any",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
};
/** Atomic in the Go types' markers though the published document has no room to say so. */
const EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";
for (const name of [
  "JSON",
  "JSONSchemaPropsOrArray",
  "JSONSchemaPropsOrBool",
  "JSONSchemaPropsOrStringArray",
])
  LEAVES[EXTENSIONS + name] = "json";

/** Places of a schema where something else may stand too. */
const UNIONS: Record<string, string> = {
  [`${EXTENSIONS}JSONSchemaPropsOrArray`]: "list",
  [`${EXTENSIONS}JSONSchemaPropsOrBool`]: "boolean",
};

const [openapiPath, protobufPath] = process.argv.slice(2);
if (openapiPath === undefined || protobufPath === undefined)
  throw new Error("usage: generate-api-tables.ts OPENAPI_V2.json PROTOBUF_FIELDS.json");
const { definitions } = JSON.parse(readFileSync(openapiPath, "utf8")) as { definitions: Definitions };
const messages = JSON.parse(readFileSync(protobufPath, "utf8")) as Messages;

const wanted = closure(roots());
const schema = Object.fromEntries(wanted.map((name) => [name, compactDefinition(name)]));
write("schema", schema);
write("protobuf", protobufTable(wanted));

function roots(): string[] {
  const names = Object.entries(definitions)
    .filter(([, d]) =>
      (d["x-kubernetes-group-version-kind"] ?? []).some(({ group, version }) =>
        GROUPS.has(`${group}/${version}`),
      ),
    )
    .map(([name]) => name)
    .filter((name) => !name.startsWith(META) && !/List$/.test(name));
  return [...names, `${META}DeleteOptions`, `${META}Status`, `${META}ListMeta`];
}

function closure(from: string[]): string[] {
  const seen = new Set<string>();
  const visit = (property: Property): void => {
    const name = property.$ref?.replace("#/definitions/", "");
    if (name !== undefined && LEAVES[name] === undefined && !seen.has(name)) {
      seen.add(name);
      for (const inner of Object.values(definition(name).properties ?? {})) visit(inner);
    }
    if (property.items) visit(property.items);
    if (property.additionalProperties) visit(property.additionalProperties);
  };
  for (const name of from) visit({ $ref: `#/definitions/${name}` });
  return [...seen].sort();
}

function definition(name: string): Definition {
  const found = definitions[name];
  if (found === undefined) throw new Error(`no definition ${name}`);
  return found;
}

function compactDefinition(name: string): object {
  const source = definition(name);
  const gvks = source["x-kubernetes-group-version-kind"];
  return {
    ...(source["x-kubernetes-map-type"] === "atomic" ? { atomic: true } : {}),
    ...(gvks?.length === 1 ? { gvk: gvks[0] } : {}),
    ...(source.required ? { required: source.required } : {}),
    ...(GO[name] ? { go: GO[name] } : {}),
    fields: Object.fromEntries(
      Object.entries(source.properties ?? {}).map(([name, p]) => [name, compactType(p)]),
    ),
  };
}

function compactType(property: Property): unknown {
  const strategy = property["x-kubernetes-patch-strategy"];
  const mergeKey = property["x-kubernetes-patch-merge-key"];
  const patch = { ...(strategy ? { patch: strategy } : {}), ...(mergeKey ? { mergeKey } : {}) };
  if (property.type === "array" && property.items) {
    const kind = property["x-kubernetes-list-type"];
    const keys = property["x-kubernetes-list-map-keys"];
    return {
      list: compactType(property.items),
      ...(kind && kind !== "atomic" ? { kind } : {}),
      ...(keys ? { keys } : {}),
      ...patch,
    };
  }
  if (property.additionalProperties)
    return {
      map: compactType(property.additionalProperties),
      ...(property["x-kubernetes-map-type"] === "atomic" ? { atomic: true } : {}),
    };
  const or = UNIONS[property.$ref?.replace("#/definitions/", "") ?? ""];
  if (or !== undefined) return { of: `${EXTENSIONS}JSONSchemaProps`, or };
  const plain = scalarOrName(property);
  const atomic = property["x-kubernetes-map-type"] === "atomic" ? { atomic: true } : {};
  return Object.keys({ ...patch, ...atomic }).length > 0 ? { of: plain, ...atomic, ...patch } : plain;
}

function scalarOrName(property: Property): string {
  if (property.$ref) {
    const name = property.$ref.replace("#/definitions/", "");
    return LEAVES[name] ?? name;
  }
  switch (property.type) {
    case "integer":
      return property.format ?? "int64";
    case "number":
      return "double";
    case "boolean":
      return "boolean";
    case "string":
      return property.format === "byte" ? "bytes" : "string";
    default:
      return "any";
  }
}

/** Message name (OpenAPI spelling) to field number to "jsonName type", with "*" before a list's type, "%" before a map's, "^" for the
 *  name of an embedded message, and "!" after a scalar whose zero differs from its absence. */
function protobufTable(names: readonly string[]): object {
  const out: Record<string, Record<string, string>> = {};
  const queue = names.map(goName);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const message = messages[name];
    if (message === undefined || out[openapiName(name)] !== undefined || isLeafMessage(name)) continue;
    out[openapiName(name)] = Object.fromEntries(
      Object.entries(message).map(([field, [number, type]]) => {
        const { prefix, inner } = splitType(type, name);
        if (messages[inner]) queue.push(inner);
        const known = fieldName(name, field, prefix + inner);
        return [String(number), `${known} ${prefix}${leafOf(inner)}${mark(name, known, leafOf(inner))}`];
      }),
    );
  }
  return Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Read by the decoder without a layout. The unions of schemas have one, though clients may write anything into them as JSON. */
function isLeafMessage(name: string): boolean {
  const known = openapiName(name);
  return LEAVES[known] !== undefined && !known.startsWith(`${EXTENSIONS}JSONSchemaPropsOr`);
}

function mark(message: string, field: string, type: string): string {
  if (messages[goName(type)] !== undefined) return "";
  return GO[openapiName(message)]?.pointers?.split(" ").includes(field) ? "!" : "";
}

function splitType(type: string, message: string): { prefix: string; inner: string } {
  const list = /^repeated (.*)$/.exec(type);
  const map = /^map<string, ?(.*)>$/.exec(type);
  // a leading dot marks a name that is complete already
  const bare = (list?.[1] ?? map?.[1] ?? type).replace(/^\./, "");
  const own = `${message.slice(0, message.lastIndexOf("."))}.${bare}`;
  return { prefix: list ? "*" : map ? "%" : "", inner: messages[own] ? own : bare };
}

function leafOf(name: string): string {
  if (messages[name] === undefined) return name;
  return openapiName(name).startsWith(EXTENSIONS)
    ? openapiName(name)
    : ["any", "json"].includes(LEAVES[openapiName(name)] ?? "")
      ? openapiName(name)
      : (LEAVES[openapiName(name)] ?? openapiName(name));
}

function fieldName(message: string, field: string, type: string): string {
  const properties = definitions[openapiName(message)]?.properties;
  if (properties === undefined || properties[field]) return field;
  const kebab = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  for (const name of [
    `$${field}`,
    `$${field.replace("JSON", "")}`,
    kebab,
    kebab.replace("x-kubernetes", "x-kubernetes"),
  ])
    if (properties[name]) return name;
  const lower = Object.keys(properties).find(
    (name) => name.replace(/[^a-z0-9]/gi, "").toLowerCase() === field.toLowerCase(),
  );
  if (lower !== undefined) return lower;
  if (messages[type.replace(/^[*%]/, "")]) return `^${field}`;
  return field;
}

/** Packages are spelt with "_" where the document's names have "-". */
function goName(name: string): string {
  return name.replace(/^io\.k8s\.([^.]+)/, (_, first: string) => `k8s.io.${first.replaceAll("-", "_")}`);
}

function openapiName(name: string): string {
  return name.replace(/^k8s\.io\.([^.]+)/, (_, first: string) => `io.k8s.${first.replaceAll("_", "-")}`);
}

function write(name: string, table: object): void {
  const lines = Object.entries(table).map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  writeFileSync(
    new URL(`../src/apiserver/generated/${name}.json`, import.meta.url),
    `{\n${lines.join(",\n")}\n}\n`,
  );
}
