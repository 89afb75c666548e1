import type { KindSpec } from "../kinds/kind.ts";

/** A write or read of one kind, as far as clients look into the document: kubectl asks which query parameters a PATCH takes, and
 *  which media types. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly operationId: string;
  readonly gvk: { readonly group: string; readonly version: string; readonly kind: string };
  readonly action: string;
  readonly parameters: readonly string[];
  readonly consumes: readonly string[];
}

export interface PathEntry {
  readonly path: string;
  readonly definition: string;
  readonly operations: readonly Operation[];
}

const PATCH_TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];
const WRITE_PARAMETERS = ["dryRun", "fieldManager", "fieldValidation"];

/** The two paths of a kind: its collection and one object. */
export function pathsOf(spec: KindSpec): readonly PathEntry[] {
  const { group, version, kind, plural, namespaced } = spec.resource;
  const gvk = { group, version, kind };
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${root}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}`;
  const name = `${upper(group.split(".")[0] || "core")}${upper(version)}${namespaced ? "Namespaced" : ""}${kind}`;
  const patchTypes = PATCH_TYPES.filter((type) => spec.custom === undefined || !type.includes("strategic"));
  const operation = (
    method: Operation["method"],
    verb: string,
    action: string,
    parameters: readonly string[],
  ) => ({
    method,
    operationId: `${verb}${name}`,
    gvk,
    action,
    parameters,
    consumes: method === "patch" ? patchTypes : ["*/*"],
  });
  return [
    {
      path: collection,
      definition: spec.definition,
      operations: [
        operation("get", "list", "list", []),
        operation("post", "create", "post", WRITE_PARAMETERS),
      ],
    },
    {
      path: `${collection}/{name}`,
      definition: spec.definition,
      operations: [
        operation("get", "read", "get", []),
        operation("put", "replace", "put", WRITE_PARAMETERS),
        operation("delete", "delete", "delete", ["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
        operation("patch", "patch", "patch", [...WRITE_PARAMETERS, "force"]),
      ],
    },
  ];
}

function upper(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
