import type { Event } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { convertedKind } from "../converted.ts";
import { invalid, required } from "../field/error.ts";
import { immutableField, sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { events, validateEvent } from "./event.ts";

const EVENTS_V1: Resource = {
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
};

/** Newer name of a field, and the one it is stored under. */
const NAMES = [
  ["note", "message"],
  ["regarding", "involvedObject"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
] as const;

function renamed(object: Draft, direction: "toStored" | "fromStored"): Draft {
  const table = new Map<string, string>(
    NAMES.map(([shown, stored]) => (direction === "toStored" ? [shown, stored] : [stored, shown])),
  );
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [table.get(key) ?? key, value]));
}

function asStored(object: Draft): Event {
  return { involvedObject: {}, ...renamed(object, "toStored") } as Event;
}

/** Events of the newer kind say when, and how often, in fields of their own. */
function validateNew(event: Event): readonly FieldError[] {
  const { eventTime, type = "", source } = event;
  const errors = [...validateSeries(event)];
  if (!eventTime) errors.push(required("eventTime"));
  if (type !== "Normal" && type !== "Warning") errors.push(invalid("type", "", `has invalid value: ${type}`));
  for (const field of ["firstTimestamp", "lastTimestamp", "count"] as const)
    if (event[field]) errors.push(invalid(field, "", "needs to be unset"));
  if (source?.component || source?.host) errors.push(invalid("source", "", "needs to be unset"));
  return errors;
}

function validateSeries({ series }: Event): readonly FieldError[] {
  if (series === undefined) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalid("series.count", "", "should be at least 2")] : []),
    ...(series.lastObservedTime ? [] : [required("series.lastObservedTime")]),
  ];
}

const FIXED = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "reason",
  "type",
  "eventTime",
  "action",
  "related",
] as const;

/** All that may change is how often it was seen. */
function validateUpdate(event: Event, stored: Event): readonly FieldError[] {
  return [
    ...(sameJson(event.series, stored.series) ? [] : validateSeries(event)),
    ...FIXED.flatMap((field) => immutableField(field, event[field], stored[field])),
    ...immutableField("reportingController", event.reportingComponent, stored.reportingComponent),
    ...immutableField("reportingInstance", event.reportingInstance, stored.reportingInstance),
  ];
}

/** Events under their newer name: the same objects, in other words. */
export const eventsV1: KindSpec = convertedKind<KubeObject, Event>(
  events,
  {
    resource: EVENTS_V1,
    definition: "io.k8s.api.events.v1.Event",
    nameRule: "subdomain",
    validate: (object) => validateEvent(asStored(object), "reportingController"),
    validateCreate: (object) => validateNew(asStored(object)),
    validateUpdate: (object, stored) => validateUpdate(asStored(object), asStored(stored)),
    columns: events.columns,
    cells: (object, now) => events.cells(renamed(object, "toStored"), now),
    selectableFields: (object) => {
      const stored = events.selectableFields?.(renamed({ involvedObject: {}, ...object }, "toStored")) ?? {};
      return Object.fromEntries(
        Object.entries(stored).map(([field, value]) => [
          field
            .replace(/^involvedObject\./, "regarding.")
            .replace(/^reportingComponent$/, "reportingController"),
          value,
        ]),
      );
    },
  },
  {
    toStored: (draft) => ({ involvedObject: {}, ...renamed(draft, "toStored") }),
    fromStored: (stored) => renamed(stored, "fromStored"),
  },
);
