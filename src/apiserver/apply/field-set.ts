import { isObject, type JsonObject, setOwn } from "../json.ts";

/** A set of paths into an object, as managedFields keep it: a tree whose edges are `f:field`, `k:{keys}` and `v:value`.
 *  `isOwned` says that the path to this very node is in the set. Never changed once made. */
export interface FieldSet {
  readonly isOwned: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const EMPTY: FieldSet = { isOwned: false, children: new Map() };
export const LEAF: FieldSet = { isOwned: true, children: new Map() };

export function isEmpty(set: FieldSet): boolean {
  return !set.isOwned && set.children.size === 0;
}

/** A node of the given children, the empty ones left out. */
export function node(isOwned: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  const kept = new Map<string, FieldSet>();
  for (const [edge, child] of children) if (!isEmpty(child)) kept.set(edge, child);
  return { isOwned, children: kept };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [edge, child] of b.children) children.set(edge, union(children.get(edge) ?? EMPTY, child));
  return { isOwned: a.isOwned || b.isOwned, children };
}

/** Paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  return node(
    a.isOwned && !b.isOwned,
    [...a.children].map(([edge, child]) => [edge, difference(child, b.children.get(edge) ?? EMPTY)] as const),
  );
}

/** Paths of `a` that are neither in `b` nor below a path in `b`. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isOwned) return EMPTY;
  if (isEmpty(b)) return a;
  return node(
    a.isOwned,
    [...a.children].map(
      ([edge, child]) => [edge, recursiveDifference(child, b.children.get(edge) ?? EMPTY)] as const,
    ),
  );
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const shared: [string, FieldSet][] = [];
  for (const [edge, child] of a.children) {
    const other = b.children.get(edge);
    if (other !== undefined) shared.push([edge, intersection(child, other)]);
  }
  return node(a.isOwned && b.isOwned, shared);
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a.isOwned !== b.isOwned || a.children.size !== b.children.size) return false;
  return [...a.children].every(([edge, child]) => {
    const other = b.children.get(edge);
    return other !== undefined && sameSet(child, other);
  });
}

/** Reads `fieldsV1`. */
export function parseFields(fields: unknown): FieldSet {
  if (!isObject(fields)) return EMPTY;
  const entries = Object.entries(fields);
  if (entries.length === 0) return LEAF;
  return node(
    Object.hasOwn(fields, "."),
    entries.filter(([edge]) => edge !== ".").map(([edge, child]) => [edge, parseFields(child)] as const),
  );
}

/** Writes `fieldsV1`: fields first, then keyed elements, then values. */
export function formatFields(set: FieldSet): JsonObject {
  const out: JsonObject = {};
  if (set.isOwned && set.children.size > 0) out["."] = {};
  const edges = [...set.children.keys()];
  if (edges.length > FEW) edges.sort(byEdge);
  else sortEdges(edges);
  for (const edge of edges) setOwn(out, edge, formatFields(set.children.get(edge) ?? EMPTY));
  return out;
}

/** Up to so many are put in order where they stand. */
const FEW = 24;

/** In place: sets are small, and there is one for every field that has fields. */
function sortEdges(edges: string[]): void {
  for (let i = 1; i < edges.length; i++) {
    const edge = edges[i] ?? "";
    let at = i;
    for (; at > 0 && byEdge(edge, edges[at - 1] ?? "") < 0; at--) edges[at] = edges[at - 1] ?? "";
    edges[at] = edge;
  }
}

const RANK: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 };

function byEdge(a: string, b: string): number {
  // Fields among fields, nearly always.
  if (a.charCodeAt(0) === b.charCodeAt(0)) return a < b ? -1 : 1;
  const rank = (RANK[a[0] ?? ""] ?? 9) - (RANK[b[0] ?? ""] ?? 9);
  return rank !== 0 ? rank : a < b ? -1 : 1;
}

/** Every path of the set as messages spell it, `.spec.containers[name="a"].image`: on each level first what is owned, then what is below. */
export function formatPaths(set: FieldSet): string[] {
  return below(set, "");
}

function below(set: FieldSet, prefix: string): string[] {
  const children = [...set.children].sort(([a], [b]) => byEdge(a, b));
  const owned = children.filter(([, child]) => child.isOwned).map(([edge]) => prefix + formatEdge(edge));
  return [...owned, ...children.flatMap(([edge, child]) => below(child, prefix + formatEdge(edge)))];
}

/** One step of a path as messages spell it: `.image`, `[name="a"]`. */
export function formatEdge(edge: string): string {
  const rest = edge.slice(2);
  switch (edge[0]) {
    case "f":
      return `.${rest}`;
    case "k": {
      const keys: unknown = JSON.parse(rest);
      const pairs = isObject(keys)
        ? Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        : [];
      return `[${pairs.join(",")}]`;
    }
    case "v":
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}
