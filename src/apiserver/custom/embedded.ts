import { explain, isFault } from "#fault/fault";
import type { ObjectMeta } from "#kube/generated/types";
import { conform } from "../codec/conform.ts";
import { isObject, type Json, type JsonObject, own } from "../json.ts";
import { invalid, required } from "../kinds/field/error.ts";
import { validateLabels } from "../kinds/field/labels.ts";
import { validateAnnotations } from "../kinds/field/meta.ts";
import { label1035Problems, pathSegmentProblems } from "../kinds/field/names.ts";
import type { FieldError } from "../kinds/kind.ts";
import { isEmbedded, itemsOf, propertyOf, type Schema, TYPE_FIELDS } from "./schema.ts";

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** Fits the metadata of objects inside the object to what metadata is: unknown fields are removed in place, and their paths given. `isTolerant`:
 *  what cannot be read is removed, as for objects that are stored already. @throws {MisfitFault} */
export function fitEmbedded(
  value: Json,
  schema: Schema,
  options: { readonly isTolerant: boolean },
): readonly string[] {
  const unknown: string[] = [];
  visit(value, schema, "", (object, path) => fitMeta(object, path, { ...options, unknown }));
  return unknown.sort();
}

/** What is wrong with the type and the metadata of objects inside the object. */
export function embeddedErrors(value: Json, schema: Schema): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(value, schema, "", (object, path) => errors.push(...objectErrors(object, path)));
  return errors;
}

function visit(
  value: Json,
  schema: Schema | undefined,
  path: string,
  meet: (object: JsonObject, path: string) => void,
): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [i, item] of value.entries()) visit(item, items, `${path}[${i}]`, meet);
  } else if (isObject(value)) {
    if (isEmbedded(schema)) meet(value, path);
    for (const [field, inner] of Object.entries(value))
      if (!isEmbedded(schema) || !TYPE_FIELDS.has(field))
        visit(inner, propertyOf(schema, field), path === "" ? field : `${path}.${field}`, meet);
  }
}

function fitMeta(
  object: JsonObject,
  path: string,
  { isTolerant, unknown }: { readonly isTolerant: boolean; readonly unknown: string[] },
): void {
  const metadata = own(object, "metadata");
  if (metadata === undefined) return;
  if (!isObject(metadata)) {
    if (isTolerant) delete object["metadata"];
    return;
  }
  try {
    const fitted = conform(metadata, OBJECT_META);
    object["metadata"] = fitted.value;
    if (fitted.value["creationTimestamp"] === null) delete fitted.value["creationTimestamp"];
    unknown.push(...fitted.unknown.map((field) => `${path}.metadata.${field}`));
  } catch (error) {
    // Told by the checks, where it is not what a client says now but what is stored.
    if (!isFault(error)) throw error;
    if (isTolerant) delete object["metadata"];
  }
}

function objectErrors(object: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["apiVersion", "kind"]) {
    const value = own(object, field);
    const at = `${path}.${field}`;
    if (value === undefined) errors.push(required(at));
    else if (typeof value !== "string") errors.push(invalid(at, value, "must be a string"));
    else if (value === "") errors.push(invalid(at, value, "must not be empty"));
    else if (field === "apiVersion" && value.split("/").length > 2)
      errors.push(invalid(at, value, `unexpected GroupVersion string: ${value}`));
    else if (field === "kind")
      for (const why of label1035Problems(value.toLowerCase()))
        errors.push(invalid(at, value, `may have mixed case, but should otherwise match: ${why}`));
  }
  const metadata = own(object, "metadata");
  if (metadata === undefined) return errors;
  try {
    const fitted = conform(isObject(metadata) ? metadata : { "": metadata }, OBJECT_META);
    errors.push(...metadataErrors(`${path}.metadata`, fitted.value));
  } catch (error) {
    errors.push(invalid(`${path}.metadata`, metadata, explain(error)));
  }
  return errors;
}

function metadataErrors(path: string, metadata: JsonObject): readonly FieldError[] {
  // Fitted to what metadata is: the names of its fields are right, and so are their types.
  const { name, labels, annotations } = metadata as unknown as ObjectMeta;
  return [
    ...(name ? pathSegmentProblems(name).map((why) => invalid(`${path}.name`, name, why)) : []),
    ...validateLabels(`${path}.labels`, labels),
    ...validateAnnotations(`${path}.annotations`, annotations),
  ];
}
