import type { Event } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { convertedKind } from "../converted.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { events } from "./event.ts";

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

/** Events under their newer name: the same objects, in other words. */
export const eventsV1: KindSpec = convertedKind<KubeObject, Event>(
  events,
  {
    resource: EVENTS_V1,
    definition: "io.k8s.api.events.v1.Event",
    nameRule: "path-segment",
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
