import type { Clock } from "#life/clock";
import type { Stored } from "../cache/stored.ts";
import type { KindSpec } from "../kinds/kind.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

/** How one client wants its tables. */
export interface TableForm {
  readonly spec: KindSpec;
  /** `meta.k8s.io/v1` or `meta.k8s.io/v1beta1`. */
  readonly apiVersion: string;
  readonly include: IncludeObject;
  readonly clock: Clock;
}

export function tableHead(
  { spec, apiVersion }: TableForm,
  metadata: object,
  options: { columns: boolean },
): string {
  const columns = options.columns
    ? spec.columns.map(({ name, type, format, description, priority }) => ({
        name,
        type,
        format: format ?? "",
        description: description ?? "",
        priority,
      }))
    : null;
  const { kind, ...rest } = { kind: "Table", apiVersion, metadata, columnDefinitions: columns };
  return `${JSON.stringify({ kind, ...rest }).slice(0, -1)},"rows":[`;
}

export const TABLE_TAIL = "]}";

export function tableRow({ spec, apiVersion, include, clock }: TableForm, stored: Stored): string {
  const cells = JSON.stringify(spec.cells(stored.object, clock.now()));
  const object =
    include === "None" ? "null" : include === "Object" ? stored.text : partialMetadata(stored, apiVersion);
  const phase = spec.resource.kind === "Pod" ? phaseOf(stored) : undefined;
  const conditions =
    phase === "Succeeded" || phase === "Failed"
      ? `,"conditions":[{"type":"Completed","status":"True","reason":"${phase}","message":"The pod ${phase === "Failed" ? "failed" : "has completed successfully"}."}]`
      : "";
  return `{"cells":${cells}${conditions},"object":${object}}`;
}

/** The object's metadata alone, as PartialObjectMetadata. */
export function partialMetadata(stored: Stored, apiVersion = "meta.k8s.io/v1"): string {
  return JSON.stringify({ kind: "PartialObjectMetadata", apiVersion, metadata: stored.object.metadata });
}

function phaseOf(stored: Stored): unknown {
  const { status } = stored.object as { status?: { phase?: unknown } };
  return status?.phase;
}
