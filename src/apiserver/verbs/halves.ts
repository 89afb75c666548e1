import type { Stored } from "../cache/stored.ts";
import { copyJson, type JsonObject, objectAt, own, textAt } from "../json.ts";
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
      return withStatus(draft, stored);
    case "finalize":
      return withFinalizers(draft, stored);
    case "ephemeralcontainers":
      return withEphemeral(draft, stored);
    default:
      if (route.spec.hasStatus) take(draft, stored, "status");
      return draft;
  }
}

function withStatus(draft: JsonObject, stored: JsonObject): JsonObject {
  const status = own(draft, "status");
  const given = metadataOf(draft);
  const metadata = { ...metadataOf(stored) };
  for (const field of ["labels", "annotations", "finalizers", "managedFields"]) {
    const value = own(given, field);
    if (value === undefined) delete metadata[field];
    else metadata[field] = value;
  }
  const out: JsonObject = { ...stored, metadata };
  if (status === undefined) delete out["status"];
  else out["status"] = status;
  const qosClass = textAt(objectAt(stored, "status"), "qosClass");
  const next = objectAt(out, "status");
  if (qosClass !== undefined && next !== undefined && next["qosClass"] === undefined)
    next["qosClass"] = qosClass;
  return out;
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

function take(draft: JsonObject, stored: JsonObject, field: string): void {
  const value = own(stored, field);
  if (value === undefined) delete draft[field];
  else draft[field] = value;
}
