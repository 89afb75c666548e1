import type { CustomResourceColumnDefinition } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import type { Json } from "../json.ts";
import type { Cell, Column, KindSpec } from "../kinds/kind.ts";
import { ageOf } from "../kinds/print/age.ts";
import { followPath, type JsonPath, parseJsonPath } from "./json-path.ts";

const NAME: Column = { name: "Name", type: "string", format: "name", priority: 0 };
const AGE: CustomResourceColumnDefinition = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "How long ago the object was created.",
};

/** How a version's objects are printed: name and age, or name and what its definition says. */
export function columnsOf(
  given: readonly CustomResourceColumnDefinition[] | undefined,
): Pick<KindSpec, "columns" | "cells"> {
  const shown = (given?.length ?? 0) > 0 ? (given ?? []) : [AGE];
  const printed = shown.map((column) => ({ column, path: parseJsonPath(column.jsonPath) }));
  return {
    columns: [NAME, ...shown.map(columnOf)],
    cells: (object, now) => [
      object.metadata.name,
      ...printed.map(({ column, path }) => cellOf(object, { type: column.type, path, now })),
    ],
  };
}

function columnOf({
  name,
  type,
  format,
  priority,
  description,
  jsonPath,
}: CustomResourceColumnDefinition): Column {
  return {
    name,
    // One of the five that the definition's checks let through.
    type: type as Column["type"],
    ...(format ? { format } : {}),
    priority: priority ?? 0,
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
  };
}

function cellOf(
  object: KubeObject,
  { type, path, now }: { readonly type: string; readonly path: JsonPath | undefined; readonly now: number },
): Cell {
  // A stored object is JSON.
  const [value] = path === undefined ? [] : followPath(object as unknown as Json, path);
  if (value === undefined || (value === null && type !== "string")) return null;
  switch (type) {
    case "string":
      return textOf(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      if (typeof value !== "string") return null;
      return Number.isNaN(Date.parse(value)) ? "<invalid>" : ageOf(value, now);
    default:
      return null;
  }
}

function textOf(value: Json): string {
  if (typeof value === "string") return value;
  return value === null ? "<nil>" : JSON.stringify(value);
}
