import {
  canonicalJson,
  copyJson,
  isObject,
  type Json,
  type JsonObject,
  own,
  sameJson,
  setOwn,
} from "../json.ts";
import { type FieldType, fieldOf, type ListType, type Shape, shapeOf } from "../schema.ts";
import { badRequest } from "../status.ts";
import { EMPTY, type FieldSet, formatEdge, isEmpty, LEAF, node } from "./field-set.ts";

/** What a value is made of for server-side apply: edges to values of known types, or one thing that is taken whole. */
interface Part {
  readonly edge: string;
  readonly value: Json;
  readonly type: FieldType;
}

/** The parts of a value; undefined when it is a leaf: a scalar, something atomic, or empty. */
export function partsOf(value: Json | undefined, type: FieldType): readonly Part[] | undefined {
  const shape = shapeOf(type);
  if (shape.is === "struct" && !shape.atomic && isObject(value)) {
    const parts = Object.entries(value).map(([field, inner]) => ({
      edge: `f:${field}`,
      value: inner,
      type: fieldOf(shape.definition, field) ?? "any",
    }));
    return parts.length === 0 ? undefined : parts;
  }
  if (shape.is === "map" && shape.type.atomic !== true && isObject(value)) {
    const parts = Object.entries(value).map(([key, inner]) => ({
      edge: `f:${key}`,
      value: inner,
      type: shape.type.map,
    }));
    return parts.length === 0 ? undefined : parts;
  }
  if (shape.is === "list" && shape.type.kind !== undefined && Array.isArray(value) && value.length > 0)
    return value.map((item) => ({ edge: elementEdge(item, shape.type), value: item, type: shape.type.list }));
  return undefined;
}

/** What the Go types' `+default` markers say and the published schema does not: keys of lists that may be left out. */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: "TCP" };

function elementEdge(item: Json, type: ListType): string {
  if (type.kind === "set") return `v:${canonicalJson(item)}`;
  const defaults = type.keyDefaults ?? KEY_DEFAULTS;
  let text = "";
  for (const key of sortedKeys(type)) {
    let value = isObject(item) ? own(item, key) : undefined;
    if (value === undefined) value = own(defaults, key);
    if (value !== undefined)
      text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(value)}`;
  }
  return `k:{${text}}`;
}

const sorted = new WeakMap<ListType, readonly string[]>();

function sortedKeys(type: ListType): readonly string[] {
  const known = sorted.get(type);
  if (known !== undefined) return known;
  const keys = [...(type.keys ?? [])].sort();
  sorted.set(type, keys);
  return keys;
}

/** The set of everything a value says. Elements of lists and entries of maps own themselves too, so that dropping them can be told from
 *  dropping their fields; a list of elements that has none says nothing. */
export function fieldsOf(value: Json, type: FieldType): FieldSet {
  const parts = partsOf(value, type);
  if (parts === undefined) return Array.isArray(value) && isMergedList(type) ? EMPTY : LEAF;
  const entriesOwn = shapeOf(type).is !== "struct";
  return node(
    false,
    parts.map(({ edge, value: inner, type: innerType }) => {
      const fields = fieldsOf(inner, innerType);
      return [edge, entriesOwn ? { ...fields, isOwned: true } : fields] as const;
    }),
  );
}

/** Paths of fields that the type does not declare, as messages spell them. */
export function undeclaredFields(value: Json, type: FieldType, path = ""): string[] {
  const shape = shapeOf(type);
  if (shape.is === "struct" && isObject(value))
    return Object.entries(value).flatMap(([field, inner]) => {
      const known = fieldOf(shape.definition, field);
      return known === undefined ? [`${path}.${field}`] : undeclaredFields(inner, known, `${path}.${field}`);
    });
  if (shape.is === "map" && isObject(value))
    return Object.entries(value).flatMap(([key, inner]) =>
      undeclaredFields(inner, shape.type.map, `${path}.${key}`),
    );
  if (shape.is === "list" && Array.isArray(value))
    return value.flatMap((item, index) => {
      const edge = shape.type.kind === undefined ? `i:${index}` : elementEdge(item, shape.type);
      return undeclaredFields(item, shape.type.list, path + formatEdge(edge));
    });
  return [];
}

/** Refuses lists that say the same element twice. @throws {StatusFault} BadRequest */
export function checkElements(value: Json, type: FieldType, path = ""): void {
  const seen = new Set<string>();
  for (const part of partsOf(value, type) ?? []) {
    if (seen.has(part.edge)) throw badRequest(`${path}: duplicate entries for key [${part.edge.slice(2)}]`);
    seen.add(part.edge);
    checkElements(part.value, part.type, part.edge.startsWith("f:") ? `${path}.${part.edge.slice(2)}` : path);
  }
}

export interface Comparison {
  /** Paths that are new or say something else. */
  readonly changed: FieldSet;
  /** Paths that are there no more. */
  readonly removed: FieldSet;
}

const SAME: Comparison = { changed: EMPTY, removed: EMPTY };

/** What changed from one value to another; undefined is no value. What has parts and was not there before, or is not there any more, is a
 *  path of its own beside its parts. */
export function compare(before: Json | undefined, after: Json | undefined, type: FieldType): Comparison {
  if (before === after) return SAME;
  if (before === undefined && after !== undefined) return { changed: added(after, type), removed: EMPTY };
  const shape = shapeOf(type);
  if ((shape.is === "struct" || shape.is === "map") && !isAtomic(type) && isObject(before) && isObject(after))
    return compareFields(before, after, shape);
  const was = partsOrNone(before, type);
  const is = partsOrNone(after, type);
  if (was === undefined || is === undefined || (was.length === 0 && is.length === 0))
    return compareLeaves(before, after);
  const { changed, removed } = compareParts(was, is);
  return {
    changed: before === undefined ? { ...changed, isOwned: true } : changed,
    removed: after === undefined ? { ...removed, isOwned: true } : removed,
  };
}

function compareFields(before: JsonObject, after: JsonObject, shape: Shape): Comparison {
  const changed = new Map<string, FieldSet>();
  const removed = new Map<string, FieldSet>();
  const note = (field: string, was: Json | undefined, is: Json | undefined) => {
    const inner = compare(was, is, typeIn(shape, field));
    if (!isEmpty(inner.changed)) changed.set(`f:${field}`, inner.changed);
    if (!isEmpty(inner.removed)) removed.set(`f:${field}`, inner.removed);
  };
  const said = Object.keys(after);
  for (const field of said) note(field, own(before, field), after[field]);
  const left = Object.keys(before);
  if (said.length === 0 && left.length === 0) return SAME;
  for (const field of left) if (!Object.hasOwn(after, field)) note(field, before[field], undefined);
  return {
    changed: changed.size === 0 ? EMPTY : { isOwned: false, children: changed },
    removed: removed.size === 0 ? EMPTY : { isOwned: false, children: removed },
  };
}

/** All paths of a value where there was none. */
function added(value: Json, type: FieldType): FieldSet {
  if (typeof value !== "object" || value === null) return LEAF;
  const shape = shapeOf(type);
  const children = new Map<string, FieldSet>();
  if (Array.isArray(value)) {
    if (shape.is !== "list" || shape.type.kind === undefined) return LEAF;
    for (const item of value) children.set(elementEdge(item, shape.type), added(item, shape.type.list));
  } else {
    if (isAtomic(type)) return LEAF;
    for (const field of Object.keys(value)) {
      const inner = value[field];
      if (inner !== undefined) children.set(`f:${field}`, added(inner, typeIn(shape, field)));
    }
  }
  return children.size === 0 ? LEAF : { isOwned: true, children };
}

/** What a struct's field, or a map's entry, holds. */
function typeIn(shape: Shape, field: string): FieldType {
  if (shape.is === "map") return shape.type.map;
  return (shape.is === "struct" ? fieldOf(shape.definition, field) : undefined) ?? "any";
}

function compareLeaves(before: Json | undefined, after: Json | undefined): Comparison {
  if (after === undefined) return { changed: EMPTY, removed: LEAF };
  return before !== undefined && sameJson(before, after) ? SAME : { changed: LEAF, removed: EMPTY };
}

/** As `partsOf`, but what is empty, null or missing has no parts, where the type may have some. */
function partsOrNone(value: Json | undefined, type: FieldType): readonly Part[] | undefined {
  return partsOf(value, type) ?? (isTaken(value) || isWhole(type) ? undefined : []);
}

/** Whether there is something in the value that `partsOf` found no parts in. */
function isTaken(value: Json | undefined): boolean {
  if (value === undefined || value === null) return false;
  return typeof value !== "object" || (Array.isArray(value) ? value.length : Object.keys(value).length) > 0;
}

/** Whether values of the type are taken whole. */
function isWhole(type: FieldType): boolean {
  return isAtomic(type) && !isMergedList(type);
}

function compareParts(was: readonly Part[], is: readonly Part[]): Comparison {
  const old = new Map(was.map((part) => [part.edge, part]));
  const changed: [string, FieldSet][] = [];
  const removed: [string, FieldSet][] = [];
  for (const part of is) {
    const before = old.get(part.edge);
    old.delete(part.edge);
    const inner = compare(before?.value, part.value, part.type);
    changed.push([part.edge, inner.changed]);
    removed.push([part.edge, inner.removed]);
  }
  for (const [edge, part] of old) removed.push([edge, compare(part.value, undefined, part.type).removed]);
  return { changed: node(false, changed), removed: node(false, removed) };
}

/** `live` with everything `config` says laid over it: scalars and atomics replaced, the rest merged part by part. */
export function mergeTyped(live: Json | undefined, config: Json, type: FieldType): Json {
  const said = partsOf(config, type);
  const base = live === undefined ? undefined : partsOf(live, type);
  if (said === undefined) {
    const isEmptyOver =
      base !== undefined &&
      ((isObject(config) && !isAtomic(type)) || (Array.isArray(config) && isMergedList(type)));
    return isEmptyOver && live !== undefined ? copyJson(live) : copyJson(config);
  }
  if (base === undefined) return copyJson(config);
  return Array.isArray(config) ? mergeList(base, said) : mergeFields(live, said);
}

function isAtomic(type: FieldType): boolean {
  const shape = shapeOf(type);
  if (shape.is === "struct") return shape.atomic;
  return shape.is !== "map" || shape.type.atomic === true;
}

function isMergedList(type: FieldType): boolean {
  const shape = shapeOf(type);
  return shape.is === "list" && shape.type.kind !== undefined;
}

function mergeFields(live: Json | undefined, said: readonly Part[]): JsonObject {
  const out = isObject(live) ? { ...live } : {};
  for (const { edge, value, type } of said) {
    const field = edge.slice(2);
    setOwn(out, field, mergeTyped(own(out, field), value, type));
  }
  return out;
}

/** Both lists' elements in one: the applied ones in the applied order, the others where they stood between those. Where the two orders
 *  disagree, clients rely on what kube-apiserver makes of them: the live list waits for the next applied element that both have. */
function mergeList(base: readonly Part[], said: readonly Part[]): Json[] {
  const live = new Map(base.map((part) => [part.edge, part]));
  const applied = new Set(said.map(({ edge }) => edge));
  const shared = said.map(({ edge }) => edge).filter((edge) => live.has(edge));
  const done = new Set<string>();
  const out: Json[] = [];
  const merge = (part: Part) => {
    done.add(part.edge);
    out.push(mergeTyped(live.get(part.edge)?.value, part.value, part.type));
  };
  for (let l = 0, r = 0; l < base.length || r < said.length; ) {
    const [old, next] = [base[l], said[r]];
    if (old !== undefined && old.edge === next?.edge) {
      merge(next);
      shared.shift();
      l++;
      r++;
    } else if (old !== undefined && !applied.has(old.edge)) {
      out.push(old.value);
      l++;
    } else if (old !== undefined && next !== undefined && shared.length > 0 && shared[0] !== old.edge) {
      l++;
    } else {
      if (old !== undefined && (done.has(old.edge) || next === undefined)) l++;
      if (next === undefined) continue;
      merge(next);
      r++;
      if (shared[0] === next.edge) shared.shift();
    }
  }
  return out;
}

/** `value` without the paths of `remove`; what `keep` holds stays, and so does a field of a struct that has something kept below it. An element
 *  of a list stays only when it is itself kept. Undefined when nothing is left. */
export function removeFields(
  value: Json,
  type: FieldType,
  sets: { remove: FieldSet; keep: FieldSet },
): Json | undefined {
  const parts = partsOf(value, type);
  if (parts === undefined) return value;
  const isStruct = shapeOf(type).is === "struct";
  const holds = (set: FieldSet) => set.isOwned || (isStruct && set.children.size > 0);
  const left: Part[] = [];
  for (const part of parts) {
    const remove = sets.remove.children.get(part.edge) ?? EMPTY;
    const keep = sets.keep.children.get(part.edge) ?? EMPTY;
    if (holds(remove) && !holds(keep)) continue;
    const next = isEmpty(remove) ? part.value : removeFields(part.value, part.type, { remove, keep });
    if (next !== undefined) left.push({ ...part, value: next });
  }
  if (left.length === 0) return undefined;
  if (Array.isArray(value)) return left.map((part) => part.value);
  const out: JsonObject = {};
  for (const part of left) setOwn(out, part.edge.slice(2), part.value);
  return out;
}
