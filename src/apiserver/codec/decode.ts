import { explain, isFault } from "#fault/fault";
import { isObject, type JsonObject, textAt } from "../json.ts";
import { badRequest, StatusFault } from "../status.ts";
import { duplicateFields, fieldsInText, fieldsInValue } from "./duplicates.ts";
import { decodeEnvelope, decodeMessage } from "./protobuf.ts";

/** A request body as JSON, with what strictness has to say about its text. */
export interface Body {
  readonly value: JsonObject;
  /** Of a JSON text: the paths of fields that stand twice. */
  readonly duplicates: readonly string[];
  /** The JSON text itself, where it has such fields. */
  readonly text?: string;
  /** Of a YAML text: a sentence for each key that stands twice. */
  readonly repeated?: readonly string[];
}

export const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** Reads a body in any of the three encodings. `definition` is the schema of what is expected. @throws {StatusFault} */
export async function decodeBody(bytes: Buffer, type: string, definition: string): Promise<Body> {
  switch (type) {
    case "application/json":
    case "text/json":
      return decodeJson(bytes.toString("utf8"));
    case "application/yaml":
    case "application/apply-patch+yaml":
      return await decodeYaml(bytes.toString("utf8"));
    case PROTOBUF:
      return decodeProtobuf(bytes, definition);
    default:
      throw unknownFormat([...CUSTOM_TYPES, PROTOBUF]);
  }
}

/** What custom resources are read in: nobody has their field numbers. */
export const CUSTOM_TYPES = ["application/json", "application/yaml"];

export function unknownFormat(types: readonly string[]): StatusFault {
  return new StatusFault(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${types.join(", ")}`,
  );
}

export function decodeJson(text: string): Body {
  const value = parseJson(text);
  if (!isObject(value))
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type struct`,
    );
  // Counting is an order of magnitude quicker than looking which, and nearly every body has none.
  const hasDuplicates = fieldsInText(text) !== fieldsInValue(value);
  return hasDuplicates ? { value, duplicates: duplicateFields(text), text } : { value, duplicates: [] };
}

/** YAML or JSON: what starts with a brace and is JSON is read as JSON, which is far quicker; fields that stand twice are told as YAML's. */
export async function decodeYaml(text: string): Promise<Body> {
  if (text.trimStart().startsWith("{") && isJson(text)) {
    const body = decodeJson(text);
    if (body.duplicates.length === 0) return body;
  }
  // By way of a module of our own: of a package that is loaded late a bundle has no names.
  const { parseYaml } = await import("./yaml.ts");
  const { value, repeated } = parseYaml(text);
  return { value, duplicates: [], repeated };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${explain(error)}`);
  }
}

function decodeProtobuf(bytes: Buffer, definition: string): Body {
  try {
    const { apiVersion, kind, raw } = decodeEnvelope(bytes);
    const value = decodeMessage(definition, raw);
    return { value: { kind, apiVersion, ...value }, duplicates: [] };
  } catch (error) {
    if (isFault(error)) throw badRequest(error.message);
    throw error;
  }
}

/** Checks that the object says it is what the URL says, filling in what it leaves out. @throws {StatusFault} BadRequest */
export function checkType(
  value: JsonObject,
  expected: { readonly apiVersion: string; readonly kind: string },
): void {
  const apiVersion = textAt(value, "apiVersion") ?? "";
  const kind = textAt(value, "kind") ?? "";
  if (apiVersion !== "" && apiVersion !== expected.apiVersion)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  if (kind !== "" && kind !== expected.kind)
    throw badRequest(
      `no kind "${kind}" is registered for version "${expected.apiVersion}" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  value["apiVersion"] = expected.apiVersion;
  value["kind"] = expected.kind;
}
