import type { Event } from "#kube/generated/types";
import { EVENTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid, problems, required } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageOf } from "../print/age.ts";
import { nameColumn, printer, text, wide } from "../print/printer.ts";

export const events: KindSpec<Event> = kindSpec<Event>({
  resource: EVENTS,
  definition: "io.k8s.api.core.v1.Event",
  nameRule: "path-segment",
  shortNames: ["ev"],
  createsOnUpdate: true,
  validate: (event) => validateEvent(event),
  selectableFields: (event) => ({
    "involvedObject.kind": event.involvedObject.kind ?? "",
    "involvedObject.namespace": event.involvedObject.namespace ?? "",
    "involvedObject.name": event.involvedObject.name ?? "",
    "involvedObject.uid": event.involvedObject.uid ?? "",
    "involvedObject.apiVersion": event.involvedObject.apiVersion ?? "",
    "involvedObject.resourceVersion": event.involvedObject.resourceVersion ?? "",
    "involvedObject.fieldPath": event.involvedObject.fieldPath ?? "",
    reason: event.reason ?? "",
    reportingComponent: event.reportingComponent ?? "",
    source: event.source?.component || event.reportingComponent || "",
    type: event.type ?? "",
  }),
  ...printer<Event>([
    text("Last Seen", lastSeen),
    text("Type", (event) => event.type ?? ""),
    text("Reason", (event) => event.reason ?? ""),
    text("Object", objectText),
    wide("Subobject", (event) => event.involvedObject.fieldPath ?? ""),
    wide("Source", sourceText),
    text("Message", (event) => (event.message ?? "").trim()),
    wide("First Seen", (event, now) => ageOf(event.firstTimestamp ?? event.eventTime, now)),
    wide("Count", (event) => event.series?.count ?? (event.count || 1)),
    { ...nameColumn, priority: 1 },
  ]),
});

/** Events of a namespaced object live beside it; those of cluster-wide objects in `default`. An event that says to the microsecond when it was is one
 *  of the newer kind, and complete. */
export function validateEvent(event: Event, controllerField = "reportingComponent"): readonly FieldError[] {
  const about = event.involvedObject.namespace ?? "";
  const own = event.metadata.namespace ?? "";
  const isNew = Boolean(event.eventTime);
  const isPlaced =
    about === "" ? own === "default" || (isNew && own === "kube-system") : isNew || about === own;
  const errors = isPlaced
    ? []
    : [invalid("involvedObject.namespace", about, "does not match event.namespace")];
  if (!isNew) return errors;
  const controller = event.reportingComponent ?? "";
  if (controller === "") errors.push(required(controllerField));
  errors.push(...problems(controllerField, controller, qualifiedNameProblems(controller)));
  for (const field of ["reportingInstance", "action", "reason"] as const) {
    if (!event[field]) errors.push(required(field));
    errors.push(...validateLength(field, event[field], MAX_WORDS));
  }
  return [...errors, ...validateLength("message", event.message, MAX_MESSAGE)];
}

/** In bytes. */
const MAX_WORDS = 128;
const MAX_MESSAGE = 1024;

function validateLength(field: string, text: string | undefined, max: number): readonly FieldError[] {
  return Buffer.byteLength(text ?? "") > max
    ? [invalid(field, "", `can have at most ${max} characters`)]
    : [];
}

function lastSeen(event: Event, now: number): string {
  const last =
    event.series?.lastObservedTime ?? event.lastTimestamp ?? event.firstTimestamp ?? event.eventTime;
  return ageOf(last, now);
}

function objectText({ involvedObject }: Event): string {
  const kind = (involvedObject.kind ?? "").toLowerCase();
  return involvedObject.name ? `${kind}/${involvedObject.name}` : kind;
}

function sourceText(event: Event): string {
  const component = event.source?.component || event.reportingComponent || "";
  const host = event.source?.host || event.reportingInstance || "";
  return host === "" ? component : `${component}, ${host}`;
}
