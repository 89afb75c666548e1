import type { CustomResourceSubresourceScale } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { isObject, type Json, type JsonObject, own, setOwn } from "../json.ts";
import { invalid } from "../kinds/field/error.ts";
import type { FieldError, KindSpec } from "../kinds/kind.ts";

const MAX_INT32 = 2 ** 31 - 1;

/** `/scale` by the paths that a definition gives. */
export function scaleOf(paths: CustomResourceSubresourceScale): NonNullable<KindSpec["scale"]> {
  const at = (object: KubeObject, path: string) => valueAt(object as unknown as Json, path);
  const count = (value: Json | undefined) => (typeof value === "number" ? value : 0);
  return {
    selector: (object) => {
      const value = paths.labelSelectorPath ? at(object, paths.labelSelectorPath) : undefined;
      return typeof value === "string" ? value : "";
    },
    replicas: (object) => {
      const value = at(object, paths.specReplicasPath);
      return typeof value === "number" ? value : undefined;
    },
    statusReplicas: (object) => count(at(object, paths.statusReplicasPath)),
    setReplicas: (draft: JsonObject, replicas) => setAt(draft, paths.specReplicasPath, replicas),
    specPath: paths.specReplicasPath,
  };
}

/** Numbers of replicas that are none. */
export function replicasErrors(
  value: Json,
  paths: CustomResourceSubresourceScale | undefined,
  which: { readonly spec: boolean; readonly status: boolean },
): FieldError[] {
  if (paths === undefined) return [];
  const errors = which.spec ? countErrors(value, paths.specReplicasPath) : [];
  if (which.status) errors.push(...countErrors(value, paths.statusReplicasPath));
  const { labelSelectorPath } = paths;
  if (!labelSelectorPath) return errors;
  const selector = valueAt(value, labelSelectorPath);
  if (selector !== undefined && typeof selector !== "string")
    errors.push(
      invalid(labelSelectorPath, "", `${labelSelectorPath} accessor error: ${wrongType(selector, "string")}`),
    );
  return errors;
}

function countErrors(value: Json, path: string): FieldError[] {
  const count = valueAt(value, path);
  if (count === undefined) return [];
  if (typeof count !== "number" || !Number.isInteger(count))
    return [invalid(path, 0, `${path} accessor error: ${wrongType(count, "int64")}`)];
  if (count < 0) return [invalid(path, count, "should be a non-negative integer")];
  if (count > MAX_INT32) return [invalid(path, count, `should be less than or equal to ${MAX_INT32}`)];
  return [];
}

function wrongType(value: Json, wanted: string): string {
  const type = typeof value === "number" ? "float64" : typeof value === "boolean" ? "bool" : typeof value;
  const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `${shown} is of the type ${type}, expected ${wanted}`;
}

function stepsOf(path: string): readonly string[] {
  return path.replace(/^\./, "").split(".");
}

function valueAt(value: Json, path: string): Json | undefined {
  let at: Json | undefined = value;
  for (const step of stepsOf(path)) at = isObject(at) ? own(at, step) : undefined;
  return at === null ? undefined : at;
}

function setAt(draft: JsonObject, path: string, value: Json): void {
  const steps = stepsOf(path);
  let at = draft;
  for (const step of steps.slice(0, -1)) {
    const inner = own(at, step);
    const next = isObject(inner) ? inner : {};
    setOwn(at, step, next);
    at = next;
  }
  setOwn(at, steps.at(-1) ?? "", value);
}
