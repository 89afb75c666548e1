import { apiVersionOf, type KubeObject, type Resource } from "#kube/object";
import { emptyGoForm, toGoForm } from "../codec/go-form.ts";
import { isObject, type Json, type JsonObject, objectAt, own, textAt } from "../json.ts";
import type { FieldType } from "../schema.ts";
import { formatTime, metadataOf } from "../verbs/metadata.ts";
import {
  difference,
  type FieldSet,
  formatFields,
  isEmpty,
  LEAF,
  node,
  parseFields,
  recursiveDifference,
  union,
} from "./field-set.ts";
import { compare } from "./typed.ts";

/** Who a write is entered for. */
export interface FieldOwner {
  readonly manager: string;
  readonly subresource: string | undefined;
  /** What the object's fields are, for merging and owning them. */
  readonly type: FieldType;
  readonly resource: Resource;
  readonly now: number;
}

/** One entry of managedFields, with its set read. */
export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly time: string;
  readonly subresource: string;
  readonly fields: FieldSet;
}

const MAX_UPDATE_MANAGERS = 10;

const META_IGNORED =
  "name namespace creationTimestamp selfLink uid clusterName generation managedFields resourceVersion deletionTimestamp deletionGracePeriodSeconds".split(
    " ",
  );

/** Paths that nobody owns. */
const IGNORED: FieldSet = node(false, [
  ["f:apiVersion", LEAF],
  ["f:kind", LEAF],
  [
    "f:metadata",
    node(
      false,
      META_IGNORED.map((field) => [`f:${field}`, LEAF] as const),
    ),
  ],
]);
const STATUS: FieldSet = node(false, [["f:status", LEAF]]);
const SPEC: FieldSet = node(false, [["f:spec", LEAF]]);

/** The set without what nobody owns, and without the half that a route does not write. */
export function withoutIgnored(
  set: FieldSet,
  options: { readonly status?: boolean; readonly spec?: boolean } = {},
): FieldSet {
  const rest = recursiveDifference(set, IGNORED);
  const metadata = rest.children.get("f:metadata");
  const cleaned = metadata?.isOwned
    ? node(
        false,
        [...rest.children].map(
          ([edge, child]) => [edge, edge === "f:metadata" ? { ...child, isOwned: false } : child] as const,
        ),
      )
    : rest;
  if (options.spec) return recursiveDifference(cleaned, SPEC);
  return options.status ? recursiveDifference(cleaned, STATUS) : cleaned;
}

export function readManagers(object: JsonObject | KubeObject): Manager[] {
  const entries = own(objectAt(object, "metadata") ?? {}, "managedFields");
  if (!Array.isArray(entries)) return [];
  return entries.filter(isObject).map((entry) => ({
    manager: textAt(entry, "manager") ?? "",
    operation: textAt(entry, "operation") === "Apply" ? "Apply" : "Update",
    apiVersion: textAt(entry, "apiVersion") ?? "",
    time: textAt(entry, "time") ?? "",
    subresource: textAt(entry, "subresource") ?? "",
    fields: parseFields(own(entry, "fieldsV1")),
  }));
}

export function writeManagers(draft: JsonObject, managers: readonly Manager[]): void {
  const metadata = metadataOf(draft);
  const kept = managers.filter(({ fields }) => !isEmpty(fields));
  if (kept.length === 0) delete metadata["managedFields"];
  else metadata["managedFields"] = [...kept].sort(byAge).map(formatManager);
}

/** Enters a create, update or patch: the writer takes every field it changed, and whatever it removed belongs to nobody. An object whose
 *  history was cleared has none until somebody applies to it. */
export function recordUpdate(draft: JsonObject, stored: KubeObject | undefined, owner: FieldOwner): void {
  const before = managersBefore(draft, stored);
  toGoForm(draft, owner.type);
  if (stored !== undefined && before.length === 0) {
    writeManagers(draft, []);
    return;
  }
  const was = stored === undefined ? emptyGoForm(owner.type) : (stored as unknown as JsonObject);
  const { changed, removed } = compare(was, draft, owner.type);
  const mine = withoutIgnored(changed);
  const gone = union(mine, removed);
  const isMine = (entry: Manager) =>
    entry.operation === "Update" &&
    entry.manager === owner.manager &&
    entry.subresource === (owner.subresource ?? "");
  const others = before
    .filter((entry) => !isMine(entry))
    .map((entry) => ({ ...entry, fields: difference(entry.fields, gone) }));
  const old = before.find(isMine);
  const fields = union(difference(old?.fields ?? node(false, []), removed), mine);
  const entry = entryFor(owner, "Update");
  const time = old !== undefined && isEmpty(mine) ? old.time : entry.time;
  writeManagers(draft, capUpdates([...others, { ...entry, time, fields }]));
}

export function entryFor(owner: FieldOwner, operation: "Apply" | "Update"): Manager {
  return {
    manager: owner.manager,
    operation,
    apiVersion: apiVersionOf(owner.resource),
    // kube-apiserver puts no time beside what is written through /scale.
    time: owner.subresource === "scale" ? "" : formatTime(owner.now),
    subresource: owner.subresource ?? "",
    fields: node(false, []),
  };
}

/** A client may clear the history (`[]`, `[{}]`) or rewrite it; leaving it out keeps what is stored. */
function managersBefore(draft: JsonObject, stored: KubeObject | undefined): Manager[] {
  const given = own(objectAt(draft, "metadata") ?? {}, "managedFields");
  if (stored === undefined) return [];
  if (!Array.isArray(given)) return readManagers(stored);
  return given.some((entry) => isObject(entry) && Object.keys(entry).length > 0) ? readManagers(draft) : [];
}

function capUpdates(managers: readonly Manager[]): readonly Manager[] {
  const updates = managers
    .filter(({ operation, fields }) => operation === "Update" && !isEmpty(fields))
    .sort(byAge);
  const surplus = updates.slice(0, Math.max(0, updates.length - MAX_UPDATE_MANAGERS + 1));
  const newest = surplus.at(-1);
  if (surplus.length < 2 || newest === undefined) return managers;
  const fields = surplus.map((entry) => entry.fields).reduce(union);
  return [
    ...managers.filter((entry) => !surplus.includes(entry)),
    { ...newest, manager: "ancient-changes", fields },
  ];
}

function byAge(a: Manager, b: Manager): number {
  const rank = (entry: Manager) =>
    [entry.operation, entry.time, entry.manager, entry.apiVersion, entry.subresource].join("\0");
  return rank(a) < rank(b) ? -1 : 1;
}

function formatManager(entry: Manager): Json {
  return {
    manager: entry.manager,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    ...(entry.time === "" ? {} : { time: entry.time }),
    fieldsType: "FieldsV1",
    fieldsV1: formatFields(entry.fields),
    ...(entry.subresource === "" ? {} : { subresource: entry.subresource }),
  };
}
