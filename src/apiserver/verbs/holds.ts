import { type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";

/** Whether an object may go: it is marked for deletion, no finalizer is left, and no grace period is running. */
export function nothingHolds(draft: JsonObject): boolean {
  const metadata = objectAt(draft, "metadata");
  if (textAt(metadata, "deletionTimestamp") === undefined) return false;
  if ((listAt(metadata, "finalizers") ?? []).length > 0) return false;
  if ((numberAt(metadata, "deletionGracePeriodSeconds") ?? 0) > 0) return false;
  const held = draft["kind"] === "Namespace" ? listAt(objectAt(draft, "spec"), "finalizers") : undefined;
  return held === undefined || held.length === 0;
}
