import type { Event } from "#kube/generated/types";
import { EVENTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid } from "../field/error.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageOf } from "../print/age.ts";
import { nameColumn, printer, text, wide } from "../print/printer.ts";

export const events: KindSpec<Event> = kindSpec<Event>({
  resource: EVENTS,
  definition: "io.k8s.api.core.v1.Event",
  nameRule: "path-segment",
  shortNames: ["ev"],
  createsOnUpdate: true,
  validate: validateEvent,
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
    wide("Count", (event) => String(event.series?.count ?? (event.count || 1))),
    { ...nameColumn, priority: 1 },
  ]),
});

/** Events of a namespaced object live beside it; those of cluster-wide objects in `default`. */
function validateEvent(event: Event): readonly FieldError[] {
  const about = event.involvedObject.namespace ?? "";
  const own = event.metadata.namespace ?? "";
  if (about === "" ? own === "default" || own === "kube-system" : about === own) return [];
  return [invalid("involvedObject.namespace", about, "does not match event.namespace")];
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
