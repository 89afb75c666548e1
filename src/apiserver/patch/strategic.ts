import { copyJson, isObject, type Json, type JsonObject, own, sameJson, setOwn } from "../json.ts";
import { type FieldType, fieldOf, patchFacts, shapeOf } from "../schema.ts";
import { badRequest, StatusFault } from "../status.ts";
import { mergePrimitives, orderElements, orderPrimitives } from "./strategic-order.ts";

const ORDER = "$setElementOrder/";
const DELETE_FROM = "$deleteFromPrimitiveList/";

/** Kubernetes' strategic merge patch, by the target's type. The target is not changed.
 *  @throws {StatusFault} BadRequest for a bad directive or an element without its merge key */
export function strategicPatch(target: JsonObject, patch: JsonObject, type: FieldType): JsonObject {
  return mergeObject(target, patch, type) ?? {};
}

/** Undefined when the patch deletes the whole object. */
function mergeObject(target: JsonObject, patch: JsonObject, type: FieldType): JsonObject | undefined {
  const directive = own(patch, "$patch");
  if (directive === "delete") return undefined;
  if (directive === "replace") return stripDirectives(patch);
  if (directive !== undefined && directive !== "merge")
    throw badRequest(`Unknown value of '$patch': ${JSON.stringify(directive)}`);
  const out = retainKeys({ ...target }, patch);
  for (const [field, value] of Object.entries(patch)) {
    if (field === "$patch" || field === "$retainKeys") continue;
    if (field.startsWith(ORDER)) continue;
    if (field.startsWith(DELETE_FROM)) deletePrimitives(out, field.slice(DELETE_FROM.length), value);
    else if (value === null) delete out[field];
    else mergeField(out, { field, value, order: own(patch, ORDER + field), type: fieldType(type, field) });
  }
  for (const [field, order] of Object.entries(patch))
    if (field.startsWith(ORDER) && !Object.hasOwn(patch, field.slice(ORDER.length)))
      reorder(out, field.slice(ORDER.length), order, fieldType(type, field.slice(ORDER.length)));
  return out;
}

interface FieldPatch {
  readonly field: string;
  readonly value: Json;
  readonly order: Json | undefined;
  readonly type: FieldType;
}

function mergeField(out: JsonObject, { field, value, order, type }: FieldPatch): void {
  const live = own(out, field);
  const facts = patchFacts(type);
  if (isObject(value)) {
    const merged = mergeObject(isObject(live) ? live : {}, value, type);
    if (merged === undefined) delete out[field];
    else setOwn(out, field, merged);
  } else if (Array.isArray(value) && facts.strategies.includes("merge") && !replacesList(value)) {
    const list = Array.isArray(live) ? live : [];
    const merged =
      facts.mergeKey === undefined
        ? mergePrimitives(list, value, order)
        : mergeElements(list, value, { mergeKey: facts.mergeKey, type: elementType(type), order });
    setOwn(out, field, merged);
  } else
    setOwn(
      out,
      field,
      Array.isArray(value) ? value.filter((item) => !isListDirective(item)).map(stripValue) : copyJson(value),
    );
}

function replacesList(list: readonly Json[]): boolean {
  return list.some(
    (item) => isObject(item) && item["$patch"] === "replace" && Object.keys(item).length === 1,
  );
}

function isListDirective(item: Json): boolean {
  return isObject(item) && Object.hasOwn(item, "$patch") && Object.keys(item).length === 1;
}

function mergeElements(
  live: readonly Json[],
  patch: readonly Json[],
  options: { readonly mergeKey: string; readonly type: FieldType; readonly order: Json | undefined },
): Json[] {
  const { mergeKey, type } = options;
  const out = [...live];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`map: ${JSON.stringify(item)} is not an element of a merge list`);
    const key = own(item, mergeKey);
    if (key === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const matches = (there: Json) => isObject(there) && sameJson(own(there, mergeKey), key);
    const at = out.findIndex(matches);
    const there = out[at];
    if (item["$patch"] === "delete") {
      for (let i = out.length - 1; i >= 0; i--) if (matches(out[i] ?? null)) out.splice(i, 1);
    } else if (at >= 0 && isObject(there)) out[at] = mergeObject(there, item, type) ?? {};
    else out.push(mergeObject({}, item, type) ?? {});
  }
  return orderElements(out, { live, patch, order: options.order, mergeKey });
}

function reorder(out: JsonObject, field: string, order: Json, type: FieldType): void {
  const live = own(out, field);
  if (!Array.isArray(live) || !Array.isArray(order)) return;
  const { mergeKey } = patchFacts(type);
  setOwn(
    out,
    field,
    mergeKey === undefined
      ? orderPrimitives(live, { live, order })
      : orderElements(live, { live, patch: [], order, mergeKey }),
  );
}

function deletePrimitives(out: JsonObject, field: string, values: Json): void {
  const live = own(out, field);
  if (!Array.isArray(values)) throw badRequest(`the value of ${DELETE_FROM}${field} is not a list`);
  if (Array.isArray(live))
    setOwn(
      out,
      field,
      live.filter((item) => !values.some((value) => sameJson(item, value))),
    );
}

function retainKeys(out: JsonObject, patch: JsonObject): JsonObject {
  const keys = own(patch, "$retainKeys");
  if (keys === undefined) return out;
  if (!Array.isArray(keys)) throw badRequest("$retainKeys is not a list");
  for (const field of Object.keys(patch))
    if (!field.startsWith("$") && patch[field] !== null && !keys.includes(field))
      throw new StatusFault("Invalid", "patch content doesn't match retainKeys list");
  for (const field of Object.keys(out)) if (!keys.includes(field)) delete out[field];
  return out;
}

function fieldType(type: FieldType, field: string): FieldType {
  const shape = shapeOf(type);
  if (shape.is === "map") return shape.type.map;
  if (shape.is !== "struct") return "any";
  return fieldOf(shape.definition, field) ?? "any";
}

function elementType(type: FieldType): FieldType {
  const shape = shapeOf(type);
  return shape.is === "list" ? shape.type.list : "any";
}

function stripDirectives(patch: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const [field, value] of Object.entries(patch))
    if (!field.startsWith("$") && value !== null) setOwn(out, field, stripValue(value));
  return out;
}

function stripValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(stripValue);
  return isObject(value) ? stripDirectives(value) : value;
}
