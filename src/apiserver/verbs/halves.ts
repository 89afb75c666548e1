import type { Stored } from "../cache/stored.ts";
import { copyJson, isObject, type Json, type JsonObject, listAt, objectAt, own, textAt } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { metadataOf } from "./metadata.ts";

/** The draft with the half that the route does not write taken from the stored object: the main route keeps the status, `/status` keeps
 *  all else but labels, annotations and finalizers, `/finalize` writes spec.finalizers alone. */
export function keepHalf(
  draft: JsonObject,
  live: Stored,
  route: { readonly spec: KindSpec; readonly subresource: string | undefined },
): JsonObject {
  const stored = live.draft();
  switch (route.subresource) {
    case "status":
      return withStatus(draft, stored, route.spec);
    case "finalize":
      return withFinalizers(draft, stored);
    case "ephemeralcontainers":
      return withEphemeral(draft, stored);
    case "resize":
      return withResources(draft, stored);
    case "approval":
      return withDecision(draft, stored);
    default:
      if (route.spec.hasStatus) take(draft, stored, "status");
      return draft;
  }
}

const MOST = ["labels", "annotations", "finalizers", "ownerReferences", "managedFields"];
const NONE = ["managedFields"];
/** What of the metadata `/status` writes: most of it, but for kinds whose strategy puts it back. @see each kind's status strategy */
const METADATA_OF_STATUS: Readonly<Record<string, readonly string[]>> = {
  Deployment: MOST.filter((field) => field !== "labels"),
  Pod: MOST.filter((field) => field !== "ownerReferences"),
  ServiceCIDR: NONE,
  ValidatingAdmissionPolicy: NONE,
  VolumeAttachment: NONE,
};

function metadataOfStatus({ resource, custom }: KindSpec): readonly string[] {
  return custom === undefined ? (METADATA_OF_STATUS[resource.kind] ?? MOST) : NONE;
}

function withStatus(draft: JsonObject, stored: JsonObject, spec: KindSpec): JsonObject {
  const { kind } = spec.resource;
  const status = own(draft, "status");
  const given = metadataOf(draft);
  const metadata = { ...metadataOf(stored) };
  for (const field of metadataOfStatus(spec)) {
    const value = own(given, field);
    if (value === undefined) delete metadata[field];
    else metadata[field] = value;
  }
  const out: JsonObject = { ...stored, metadata };
  if (status === undefined) delete out["status"];
  else out["status"] = status;
  if (kind === "Pod") keepPodStatus(out, stored);
  return out;
}

/** A pod's quality of service cannot be unsaid, and its first address is told in two places. */
function keepPodStatus(out: JsonObject, stored: JsonObject): void {
  const qosClass = textAt(objectAt(stored, "status"), "qosClass");
  const next = objectAt(out, "status") ?? {};
  out["status"] = next;
  if (qosClass !== undefined && !textAt(next, "qosClass")) next["qosClass"] = qosClass;
  const ip = textAt(next, "podIP") ?? "";
  const first = listAt(next, "podIPs")?.[0];
  const firstIp = isObject(first) ? textAt(first, "ip") : undefined;
  if (ip !== "" && ip !== firstIp) next["podIPs"] = [{ ip }];
  else if (ip === "" && firstIp !== undefined) next["podIP"] = firstIp;
}

function withFinalizers(draft: JsonObject, stored: JsonObject): JsonObject {
  const finalizers = own(objectAt(draft, "spec") ?? {}, "finalizers");
  const spec = { ...objectAt(stored, "spec") };
  if (finalizers === undefined) delete spec["finalizers"];
  else spec["finalizers"] = finalizers;
  return { ...stored, spec };
}

function withEphemeral(draft: JsonObject, stored: JsonObject): JsonObject {
  const given = own(objectAt(draft, "spec") ?? {}, "ephemeralContainers");
  const spec = { ...objectAt(stored, "spec") };
  if (given !== undefined) spec["ephemeralContainers"] = copyJson(given);
  return { ...stored, spec };
}

/** A resize writes what containers ask for, and how they take its change; all else of them stays. */
function withResources(draft: JsonObject, stored: JsonObject): JsonObject {
  const given = objectAt(draft, "spec") ?? {};
  const spec = { ...objectAt(stored, "spec") };
  for (const field of ["containers", "initContainers"]) {
    const before = own(spec, field);
    if (Array.isArray(before)) spec[field] = mergeContainers(before, own(given, field));
  }
  return { ...stored, spec };
}

function mergeContainers(before: readonly Json[], given: Json | undefined): Json[] {
  const byName = new Map(
    (Array.isArray(given) ? given : []).filter(isObject).map((one) => [textAt(one, "name"), one]),
  );
  const names = new Set(before.filter(isObject).map((one) => textAt(one, "name")));
  const isOther = byName.size > 0 && [...byName.keys()].some((name) => !names.has(name));
  // Refused by whoever checks it.
  if (isOther && Array.isArray(given)) return [...given];
  return before.map((container) => {
    const next = isObject(container) ? byName.get(textAt(container, "name")) : undefined;
    if (!isObject(container) || next === undefined) return container;
    const out = { ...container };
    for (const field of ["resources", "resizePolicy"]) {
      const value = own(next, field);
      if (value !== undefined) out[field] = copyJson(value);
    }
    return out;
  });
}

/** Of a certificate signing request: what was decided, and whatever of its metadata a write may change; nothing else. */
function withDecision(draft: JsonObject, stored: JsonObject): JsonObject {
  const conditions = own(objectAt(draft, "status") ?? {}, "conditions");
  const status = { ...objectAt(stored, "status") };
  if (conditions === undefined) delete status["conditions"];
  else status["conditions"] = copyJson(conditions);
  return { ...stored, metadata: metadataOf(draft), status };
}

function take(draft: JsonObject, stored: JsonObject, field: string): void {
  const value = own(stored, field);
  if (value === undefined) delete draft[field];
  else draft[field] = value;
}
