import { copyJson, isObject, type Json, type JsonObject, own, sameJson, setOwn } from "../json.ts";
import { badRequest, StatusFault } from "../status.ts";

const MAX_OPERATIONS = 10_000;

/** RFC 6902. The document given is not changed. @throws {StatusFault} BadRequest for a malformed patch, Invalid when it does not apply */
export function jsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw badRequest("error decoding patch: the patch is not a list of operations");
  if (patch.length > MAX_OPERATIONS)
    throw new StatusFault(
      "RequestEntityTooLarge",
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  let result = copyJson(document);
  for (const operation of patch) {
    if (!isObject(operation)) throw badRequest("error decoding patch: an operation is not an object");
    result = applyOperation(result, operation);
  }
  return result;
}

function applyOperation(document: Json, operation: JsonObject): Json {
  const path = pointer(operation["path"]);
  switch (operation["op"]) {
    case "add":
      return add(document, path, copyJson(operandOf(operation)));
    case "replace":
      return replace(document, path, copyJson(operandOf(operation)));
    case "remove":
      return remove(document, path);
    case "test":
      if (!sameJson(get(document, path) ?? null, own(operation, "value") ?? null))
        throw refused(`testing value ${operation["path"]} failed: test failed`);
      return document;
    case "copy":
      return add(document, path, copyJson(existing(document, pointer(operation["from"]))));
    case "move": {
      const from = pointer(operation["from"]);
      const value = existing(document, from);
      return add(remove(document, from), path, value);
    }
    default:
      throw refused(`Unexpected kind: ${typeof operation["op"] === "string" ? operation["op"] : "unknown"}`);
  }
}

function operandOf(operation: JsonObject): Json {
  return own(operation, "value") ?? null;
}

function pointer(text: Json | undefined): string[] {
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/")))
    throw refused(`invalid path ${JSON.stringify(text)}`);
  return text
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function get(document: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = document;
  for (const part of path) {
    if (Array.isArray(at)) at = at[indexIn(part, at.length - 1)];
    else if (isObject(at)) at = own(at, part);
    else return undefined;
  }
  return at;
}

function existing(document: Json, path: readonly string[]): Json {
  const value = get(document, path);
  if (value === undefined) throw refused(`missing value at /${path.join("/")}`);
  return value;
}

function add(document: Json, path: readonly string[], value: Json): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = get(document, path.slice(0, -1));
  if (parent === undefined)
    throw refused(`add operation does not apply: doc is missing path: "/${path.join("/")}": missing value`);
  if (Array.isArray(parent))
    parent.splice(last === "-" ? parent.length : indexIn(last, parent.length), 0, value);
  else if (isObject(parent)) setOwn(parent, last, value);
  else throw refused(`add operation does not apply at /${path.join("/")}`);
  return document;
}

function replace(document: Json, path: readonly string[], value: Json): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = existing(document, path.slice(0, -1));
  // A field that is not there is set all the same, against the RFC: kube-apiserver does so, and clients rely on it.
  if (isObject(parent)) setOwn(parent, last, value);
  else if (Array.isArray(parent)) parent[indexIn(last, parent.length - 1)] = value;
  else throw refused(`replace operation does not apply at /${path.join("/")}`);
  return document;
}

function remove(document: Json, path: readonly string[]): Json {
  const last = path.at(-1);
  if (last === undefined) throw refused("the whole document cannot be removed");
  const parent = get(document, path.slice(0, -1));
  if (parent === undefined)
    throw refused(
      `remove operation does not apply: doc is missing path: "/${path.join("/")}": missing value`,
    );
  if (isObject(parent) && !Object.hasOwn(parent, last))
    throw refused(
      `error in remove for path: '/${path.join("/")}': Unable to remove nonexistent key: ${last}: missing value`,
    );
  if (Array.isArray(parent)) parent.splice(indexIn(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}

/** Negative indices count from the end, as in the library that kube-apiserver uses. */
function indexIn(part: string, max: number): number {
  if (!/^(?:0|-?[1-9]\d{0,8})$/.test(part)) throw refused(`invalid array index ${JSON.stringify(part)}`);
  const index = Number(part) < 0 ? max + 1 + Number(part) : Number(part);
  if (index < 0 || index > max) throw refused(`array index ${part} is out of bounds`);
  return index;
}

/** What kube-apiserver says to every patch that does not apply; the reason stays inside. */
function refused(why: string): StatusFault {
  return new StatusFault("Invalid", "the server rejected our request due to an error in our request", {
    cause: new Error(why),
    details: {},
  });
}
