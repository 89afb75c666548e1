/** JSON as a patch sees it. */
type Json = unknown;
type JsonObject = Readonly<Record<string, Json>>;

/** Lists that a strategic merge patch merges element by element, and the field that tells elements apart. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  addresses: "type",
  conditions: "type",
  containers: "name",
  env: "name",
  initContainers: "name",
  ownerReferences: "uid",
  podIPs: "ip",
  ports: "containerPort",
  taints: "key",
  volumes: "name",
};

const REMOVE_FROM = "$deleteFromPrimitiveList/";

/** RFC 7386: objects merge, null removes, anything else replaces. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** As `mergePatch`, but known lists merge by key, and `$patch: delete | replace` is honoured. */
export function strategicPatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const { $patch, ...rest } = patch;
  if ($patch === "replace") return rest;
  const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(rest)) {
    if (key.startsWith(REMOVE_FROM)) {
      const name = key.slice(REMOVE_FROM.length);
      const list = merged[name];
      if (Array.isArray(list) && Array.isArray(value))
        merged[name] = list.filter((item) => !value.includes(item));
      continue;
    }
    const mergeKey = MERGE_KEYS[key];
    if (value === null) delete merged[key];
    else if (Array.isArray(value) && mergeKey !== undefined)
      merged[key] = mergeLists(merged[key], value, mergeKey);
    else if (value !== undefined) merged[key] = strategicPatch(merged[key], value);
  }
  return merged;
}

/** The subset of RFC 6902 that clients here send: add, replace, remove and test. */
export function jsonPatch(target: Json, operations: Json): Json {
  if (!Array.isArray(operations)) throw new Error("a JSON patch is a list of operations");
  const root = { value: structuredClone(target) };
  for (const operation of operations) applyOperation(root, operation);
  return root.value;
}

function mergeLists(target: Json, patch: readonly Json[], mergeKey: string): Json {
  const isWhole = patch.some((element) => isObject(element) && element["$patch"] === "replace");
  const merged: Json[] = Array.isArray(target) && !isWhole ? [...target] : [];
  for (const element of patch) {
    if (!isObject(element) || element["$patch"] === "replace") continue;
    const at = merged.findIndex((old) => isObject(old) && old[mergeKey] === element[mergeKey]);
    if (element["$patch"] === "delete") {
      if (at >= 0) merged.splice(at, 1);
    } else if (at < 0) merged.push(element);
    else merged[at] = strategicPatch(merged[at], element);
  }
  return merged;
}

function applyOperation(root: { value: Json }, operation: Json): void {
  if (!isObject(operation) || typeof operation["path"] !== "string") throw new Error("not an operation");
  const keys = ["value", ...operation["path"].split("/").slice(1)].map((key) =>
    key.replaceAll("~1", "/").replaceAll("~0", "~"),
  );
  const last = keys.pop() ?? "value";
  let parent: Json = root;
  for (const key of keys) parent = (parent as Record<string, Json>)[key];
  if (typeof parent !== "object" || parent === null) throw new Error(`no value at ${operation["path"]}`);
  const holder = parent as Record<string, Json>;
  if (operation["op"] === "test") {
    if (JSON.stringify(holder[last]) !== JSON.stringify(operation["value"]))
      throw new Error(`test of ${operation["path"]} does not hold`);
  } else if (Array.isArray(parent)) spliceList(parent, last, String(operation["op"]), operation["value"]);
  else if (operation["op"] === "remove") delete holder[last];
  else holder[last] = operation["value"];
}

function spliceList(list: Json[], key: string, op: string, value: Json): void {
  const at = key === "-" ? list.length : Number(key);
  if (op === "remove") list.splice(at, 1);
  else list.splice(at, op === "replace" ? 1 : 0, value);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
