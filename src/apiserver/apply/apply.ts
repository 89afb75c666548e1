import type { KubeObject } from "#kube/object";
import { emptyGoForm } from "../codec/go-form.ts";
import { type JsonObject, objectAt, own, sameJson, textAt } from "../json.ts";
import type { FieldType } from "../schema.ts";
import { StatusFault } from "../status.ts";
import { metadataOf } from "../verbs/metadata.ts";
import { difference, EMPTY, type FieldSet, formatPaths, intersection, isEmpty, union } from "./field-set.ts";
import { keepLastApplied, ownPast } from "./last-applied.ts";
import {
  entryFor,
  type FieldOwner,
  type Manager,
  readManagers,
  withoutIgnored,
  writeManagers,
} from "./managed-fields.ts";
import { checkElements, compare, fieldsOf, mergeTyped, removeFields } from "./typed.ts";

export interface Apply {
  readonly config: JsonObject;
  readonly owner: FieldOwner;
  readonly force: boolean;
  readonly hasStatus: boolean;
}

/** The live object after a server-side apply, its managedFields with it: a new object when there was none.
 *  @throws {StatusFault} Conflict when another manager has a field that would change, unless forced */
export function applyConfig(live: KubeObject | undefined, apply: Apply): JsonObject {
  const { config, owner } = apply;
  const isStatus = owner.subresource === "status";
  const ignoring = { status: apply.hasStatus && !isStatus, spec: isStatus };
  checkElements(config, owner.type);
  const said = withoutIgnored(fieldsOf(config, owner.type), ignoring);
  const before = live === undefined ? {} : (live as unknown as JsonObject);
  const merged = mergeTyped(before, config, owner.type) as JsonObject;
  if (ignoring.status) restore(merged, before, "status");
  const managers = live === undefined ? [] : managersOf(live, apply, ignoring);
  const mine = managers.find((entry) => isMine(entry, owner));
  const others = managers.filter((entry) => !isMine(entry, owner));
  const pruned = prune(merged, { was: mine?.fields ?? EMPTY, said, others, type: owner.type });
  keepIdentity(pruned, merged);
  const { changed, removed } = compare(before, pruned, owner.type);
  const yielding = settleConflicts(others, changed, apply, live);
  const left = yielding.map((entry) => ({ ...entry, fields: difference(entry.fields, removed) }));
  if (live !== undefined) keepLastApplied(pruned, live, apply);
  writeManagers(pruned, [
    ...left,
    { ...entryFor(owner, "Apply"), time: timeOf(pruned, before, mine, owner), fields: said },
  ]);
  return pruned;
}

/** When the manager last changed something; an apply that only says what is so already sets no time. */
function timeOf(after: JsonObject, before: JsonObject, mine: Manager | undefined, owner: FieldOwner): string {
  const isSame = sameJson(withoutHistory(after), withoutHistory(before));
  return isSame ? (mine?.time ?? "") : entryFor(owner, "Apply").time;
}

function withoutHistory(object: JsonObject): JsonObject {
  const { managedFields: _managedFields, ...metadata } = objectAt(object, "metadata") ?? {};
  return { ...object, metadata };
}

function isMine(entry: Manager, owner: FieldOwner): boolean {
  return (
    entry.operation === "Apply" &&
    entry.manager === owner.manager &&
    entry.subresource === (owner.subresource ?? "")
  );
}

/** The entries of the live object; one that never had any belongs, as it stands, to `before-first-apply`. */
function managersOf(
  live: KubeObject,
  { owner }: Apply,
  ignoring: { status: boolean; spec: boolean },
): Manager[] {
  const managers = readManagers(live);
  if (managers.length > 0) return managers;
  const { changed } = compare(emptyGoForm(owner.type), live as unknown as JsonObject, owner.type);
  const fields = withoutIgnored(changed, ignoring);
  return [{ ...entryFor(owner, "Update"), manager: "before-first-apply", fields }];
}

function settleConflicts(
  others: readonly Manager[],
  changes: FieldSet,
  apply: Apply,
  live: KubeObject | undefined,
): Manager[] {
  const clashes = others
    .map((entry) => ({ entry, fields: intersection(entry.fields, changes) }))
    .filter(({ fields }) => !isEmpty(fields));
  if (!apply.force) refuseClashes(clashes, live === undefined ? EMPTY : ownPast(live, apply.owner));
  return others.map((entry) => {
    const clash = clashes.find((each) => each.entry === entry);
    return clash === undefined ? entry : { ...entry, fields: difference(entry.fields, clash.fields) };
  });
}

interface Clash {
  readonly entry: Manager;
  readonly fields: FieldSet;
}

/** @throws {StatusFault} Conflict when a clash is over more than what the author said before in another way */
function refuseClashes(clashes: readonly Clash[], past: FieldSet): void {
  const refused = clashes
    .map(({ entry, fields }) => ({ entry, fields: difference(fields, past) }))
    .filter(({ fields }) => !isEmpty(fields));
  if (refused.length > 0) throw applyConflict(refused);
}

function applyConflict(all: readonly Clash[]): StatusFault {
  const clashes = [...all].sort((a, b) => (describe(a.entry) < describe(b.entry) ? -1 : 1));
  const causes = clashes.flatMap(({ entry, fields }) =>
    formatPaths(fields).map((field) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${describe(entry)}`,
      field,
    })),
  );
  const groups = clashes.map(({ entry, fields }) => ({ who: describe(entry), paths: formatPaths(fields) }));
  const text =
    causes.length === 1
      ? `conflict with ${groups[0]?.who}: ${groups[0]?.paths[0]}`
      : groups.map(({ who, paths }) => `conflicts with ${who}:\n- ${paths.join("\n- ")}`).join("\n");
  const count = `${causes.length} conflict${causes.length === 1 ? "" : "s"}`;
  return new StatusFault("Conflict", `Apply failed with ${count}: ${text}`, {
    details: { causes },
  });
}

function describe({ manager, subresource, apiVersion, operation }: Manager): string {
  const part = subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(manager)}${part}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}

/** Takes away what this manager said last time, says no more, and nobody else has. */
function prune(
  merged: JsonObject,
  sets: { was: FieldSet; said: FieldSet; others: readonly Manager[]; type: FieldType },
): JsonObject {
  if (isEmpty(sets.was)) return merged;
  const keep = sets.others.map(({ fields }) => fields).reduce(union, sets.said);
  return (removeFields(merged, sets.type, { remove: sets.was, keep }) ?? {}) as JsonObject;
}

function restore(merged: JsonObject, before: JsonObject, field: string): void {
  const value = own(before, field);
  if (value === undefined) delete merged[field];
  else merged[field] = value;
}

/** Pruning never takes the object's name away. */
function keepIdentity(pruned: JsonObject, merged: JsonObject): void {
  const source = objectAt(merged, "metadata") ?? {};
  const target = metadataOf(pruned);
  for (const field of ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"])
    if (textAt(source, field) !== undefined) target[field] = textAt(source, field) ?? "";
}
