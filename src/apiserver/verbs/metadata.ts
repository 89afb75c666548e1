import { randomInt, randomUUID } from "node:crypto";
import type { KubeObject } from "#kube/object";
import { copyJson, isObject, type Json, type JsonObject, objectAt, own, sameJson, textAt } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { badRequest, conflict, unknownFault } from "../status.ts";

const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const GENERATED_BASE = 58;

/** `base` and five characters that spell no words. */
export function generateName(base: string): string {
  let suffix = "";
  for (let i = 0; i < 5; i++) suffix += NAME_ALPHABET[randomInt(NAME_ALPHABET.length)];
  return base.slice(0, GENERATED_BASE) + suffix;
}

/** The metadata of a draft, made when missing. */
export function metadataOf(draft: JsonObject): JsonObject {
  const metadata = own(draft, "metadata");
  if (isObject(metadata)) return metadata;
  const made: JsonObject = {};
  draft["metadata"] = made;
  return made;
}

/** Gives a new object what only the server may say: identity, time, generation. */
export function stampNew(
  draft: JsonObject,
  options: { spec: KindSpec; namespace: string | undefined; now: number },
): void {
  const metadata = metadataOf(draft);
  for (const field of ["selfLink", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"])
    delete metadata[field];
  metadata["uid"] = randomUUID();
  metadata["creationTimestamp"] = formatTime(options.now);
  if (options.spec.generation !== "none") metadata["generation"] = 1;
  if (options.namespace === undefined) delete metadata["namespace"];
  else metadata["namespace"] = options.namespace;
}

const KEPT = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "namespace",
  "name",
];

/** Puts back the metadata that no update may change. */
export function keepMetadata(draft: JsonObject, stored: KubeObject): void {
  const metadata = metadataOf(draft);
  const live = stored.metadata as unknown as JsonObject;
  for (const field of KEPT) {
    const value = own(live, field);
    if (value === undefined) delete metadata[field];
    else metadata[field] = copyJson(value);
  }
  delete metadata["selfLink"];
}

/** Checks that name and namespace in a body are those of the URL, filling in what is missing. @throws {StatusFault} BadRequest */
export function checkPlace(
  draft: JsonObject,
  place: {
    readonly namespace: string | undefined;
    /** Undefined: any. */
    readonly name: string | undefined;
    /** A body without a name is given the URL's. */
    readonly mayBeNameless?: boolean;
  },
): void {
  const metadata = metadataOf(draft);
  const namespace = textAt(metadata, "namespace") ?? "";
  if (place.namespace === undefined) delete metadata["namespace"];
  else if (namespace === "") metadata["namespace"] = place.namespace;
  else if (namespace !== place.namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (place.name === undefined) return;
  const name = textAt(metadata, "name") ?? "";
  if (name === "" && place.mayBeNameless === true) metadata["name"] = place.name;
  else if (name === "")
    throw badRequest(
      `the name of the object (${place.name} based on URL) was undeterminable: name must be provided`,
    );
  else if (name !== place.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${place.name})`);
}

/** Refuses a write about another object or another state than the one stored. @throws {StatusFault} Conflict */
export function checkPreconditions(
  draft: JsonObject,
  stored: { readonly object: KubeObject; readonly revision: number },
  spec: KindSpec,
): void {
  const metadata = metadataOf(draft);
  const { name, uid } = stored.object.metadata;
  const version = textAt(metadata, "resourceVersion") ?? "";
  if (!/^\d*$/.test(version))
    throw unknownFault(`strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
  if (version !== "" && version !== "0" && version !== String(stored.revision))
    throw conflict(spec.resource, name);
  const wantedUid = textAt(metadata, "uid") ?? "";
  if (wantedUid !== "" && wantedUid !== uid) throw uidMismatch(spec, name, wantedUid, uid ?? "");
}

export function uidMismatch(spec: KindSpec, name: string, wanted: string, actual: string) {
  return conflict(
    spec.resource,
    name,
    `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${actual}`,
  );
}

/** Lets generation grow when what it counts has changed. */
export function countGeneration(draft: JsonObject, stored: KubeObject, spec: KindSpec): void {
  const before = stored.metadata.generation ?? 0;
  if (spec.generation === "none" || before === 0 || !hasChanged(draft, stored as unknown as JsonObject, spec))
    return;
  metadataOf(draft)["generation"] = before + 1;
}

function hasChanged(draft: JsonObject, stored: JsonObject, spec: KindSpec): boolean {
  switch (spec.generation) {
    case "none":
      return false;
    case "spec-and-annotations":
      if (
        !sameJson(
          notEmpty(objectAt(draft, "metadata"), "annotations"),
          notEmpty(objectAt(stored, "metadata"), "annotations"),
        )
      )
        return true;
      return !sameJson(own(draft, "spec"), own(stored, "spec"));
    case "spec":
      // A PodTemplate has its template where others have their spec.
      return (
        !sameJson(own(draft, "spec"), own(stored, "spec")) ||
        !sameJson(own(draft, "template"), own(stored, "template"))
      );
    case "outside-metadata":
      return !sameJson(withoutMetadata(draft), withoutMetadata(stored));
    case "labels-and-outside-metadata":
      if (
        !sameJson(
          notEmpty(objectAt(draft, "metadata"), "labels"),
          notEmpty(objectAt(stored, "metadata"), "labels"),
        )
      )
        return true;
      return !sameJson(withoutMetadata(draft), withoutMetadata(stored));
    case "all-but-metadata":
      return !sameJson(
        { ...withoutMetadata(draft), status: own(draft, "status") },
        { ...withoutMetadata(stored), status: own(stored, "status") },
      );
    default:
      return spec.generation satisfies never;
  }
}

function notEmpty(value: JsonObject | undefined, field: string): Json {
  return objectAt(value, field) ?? {};
}

function withoutMetadata(value: JsonObject): JsonObject {
  const { metadata: _metadata, kind: _kind, apiVersion: _apiVersion, status: _status, ...rest } = value;
  return rest;
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastTime.second)
    lastTime = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return lastTime.text;
}

/** Writes come many to a second. */
let lastTime = { second: Number.NaN, text: "" };
