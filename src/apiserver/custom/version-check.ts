import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from "#kube/generated/types";
import { duplicate, forbidden, invalid, required, tooMany } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { defaultErrors } from "./default-check.ts";
import { readFieldPath } from "./field-path.ts";
import type { Schema } from "./schema.ts";
import { schemaErrors } from "./schema-rules.ts";
import { structuralErrors } from "./structural.ts";

const MAX_SELECTABLE_FIELDS = 8;
const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = "byte date date-time double float int32 int64 password".split(" ");

/** What is wrong with one version of a definition. */
export function versionErrors(path: string, version: CustomResourceDefinitionVersion): FieldError[] {
  const { subresources, additionalPrinterColumns = [] } = version;
  const schema = version.schema?.openAPIV3Schema;
  const hasStatus = subresources?.status !== undefined;
  return [
    ...deprecationErrors(`${path}.deprecationWarning`, version),
    ...(schema === undefined ? [] : versionSchemaErrors(`${path}.schema`, schema, { hasStatus })),
    ...scaleErrors(`${path}.subresources.scale`, subresources?.scale),
    ...additionalPrinterColumns.flatMap((column, i) =>
      columnErrors(`${path}.additionalPrinterColumns[${i}]`, column),
    ),
    ...selectableErrors(`${path}.selectableFields`, version),
  ];
}

function versionSchemaErrors(
  path: string,
  schema: Schema,
  { hasStatus }: { readonly hasStatus: boolean },
): readonly FieldError[] {
  const at = `${path}.openAPIV3Schema`;
  const errors = hasStatus ? rootErrors(path, schema) : [];
  if (schema.nullable) errors.push(forbidden(`${at}.nullable`, "nullable cannot be true at the root"));
  const structural = structuralErrors(at, schema);
  const defaults = structural.length > 0 ? [] : defaultErrors(at, schema, { isRoot: true });
  errors.push(...structural, ...defaults);
  const checksRules = structural.length === 0 && defaults.length === 0;
  return [...errors, ...schemaErrors(at, schema, { checksRules })];
}

/** What may stand beside `properties` at the root where the status has a schema of its own. */
const ROOT_WORDS = new Set(
  "description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields x-kubernetes-validations".split(
    " ",
  ),
);
const ROOT_NAMES =
  "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations";

function rootErrors(path: string, schema: Schema): FieldError[] {
  if (schema.type !== "object")
    return [
      invalid(
        `${path}.openAPIV3Schema.type`,
        schema.type ?? "",
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ];
  const isOther = Object.entries(schema).some(
    ([word, value]) => !ROOT_WORDS.has(word) && value !== false && value !== undefined,
  );
  if (!isOther) return [];
  const detail = `only [${ROOT_NAMES}] fields are allowed at the root of the schema if the status subresource is enabled`;
  return [{ type: "Invalid", path: `${path}.openAPIV3Schema`, omitsValue: true, detail }];
}

function deprecationErrors(path: string, version: CustomResourceDefinitionVersion): FieldError[] {
  const { deprecated, deprecationWarning: text } = version;
  if (text === undefined) return [];
  const refuse = (detail: string) => invalid(path, text, detail);
  if (!deprecated) return [refuse("can only be set for deprecated versions")];
  const errors: FieldError[] = [];
  if (Buffer.byteLength(text) > 256) errors.push(refuse("must be <= 256 characters long"));
  if (text === "") errors.push(refuse("must not be an empty string"));
  const at = [...text].findIndex(
    (char) => /[\p{C}\p{Zl}\p{Zp}]/u.test(char) || (/\s/u.test(char) && char !== " "),
  );
  if (at >= 0)
    errors.push(
      refuse(`must only contain printable UTF-8 characters; non-printable character found at index ${at}`),
    );
  return errors;
}

function scaleErrors(path: string, scale: CustomResourceSubresourceScale | undefined): FieldError[] {
  if (scale === undefined) return [];
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  const errors = [
    ...replicasPathErrors(`${path}.specReplicasPath`, specReplicasPath ?? "", ".spec"),
    ...replicasPathErrors(`${path}.statusReplicasPath`, statusReplicasPath ?? "", ".status"),
  ];
  if (!labelSelectorPath) return errors;
  const at = `${path}.labelSelectorPath`;
  const simple = simplePathErrors(at, labelSelectorPath);
  if (simple.length > 0) return [...errors, ...simple];
  return /^\.(?:spec|status)\./.test(labelSelectorPath)
    ? errors
    : [...errors, invalid(at, labelSelectorPath, "should be a json path under either .spec or .status")];
}

function replicasPathErrors(path: string, text: string, root: string): FieldError[] {
  if (text === "") return [required(path)];
  const simple = simplePathErrors(path, text);
  if (simple.length > 0) return simple;
  return text.startsWith(`${root}.`) ? [] : [invalid(path, text, `should be a json path under ${root}`)];
}

function simplePathErrors(path: string, text: string): FieldError[] {
  return text.startsWith(".") ? [] : [invalid(path, text, "must be a simple json path starting with .")];
}

function columnErrors(path: string, column: CustomResourceColumnDefinition): FieldError[] {
  const { name, type, format, jsonPath } = column;
  const errors: FieldError[] = [];
  const types = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (!name) errors.push(required(`${path}.name`));
  if (!type) errors.push(required(`${path}.type`, types));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalid(`${path}.type`, type, types));
  if (format && !COLUMN_FORMATS.includes(format))
    errors.push(invalid(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`));
  if (!jsonPath) errors.push(required(`${path}.JSONPath`));
  else errors.push(...simplePathErrors(`${path}.JSONPath`, jsonPath));
  return errors;
}

function selectableErrors(
  path: string,
  { selectableFields = [], schema }: CustomResourceDefinitionVersion,
): FieldError[] {
  if (selectableFields.length === 0) return [];
  const root = schema?.openAPIV3Schema;
  if (root === undefined)
    return [invalid(path, "", "may only be set when `version.schema.openAPIV3Schema` is not included")];
  const seen = new Set<string>();
  const errors = selectableFields.flatMap(({ jsonPath }, i) =>
    selectableFieldErrors(`${path}[${i}].jsonPath`, jsonPath ?? "", { root, seen }),
  );
  return seen.size > MAX_SELECTABLE_FIELDS
    ? [...errors, tooMany(path, seen.size, MAX_SELECTABLE_FIELDS)]
    : errors;
}

function selectableFieldErrors(
  path: string,
  text: string,
  { root, seen }: { readonly root: Schema; readonly seen: Set<string> },
): FieldError[] {
  if (text === "") return [required(path)];
  const found = readFieldPath(text, root, { allowsBrackets: false });
  if (typeof found === "string") return [invalid(path, text, `is an invalid path: ${found}`)];
  const errors: FieldError[] = [];
  if (found.steps[0] === "metadata") errors.push(invalid(path, text, "must not point to fields in metadata"));
  if (!["string", "boolean", "integer"].includes(found.schema?.type ?? ""))
    errors.push(
      invalid(
        path,
        text,
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
      ),
    );
  if (seen.has(found.text)) errors.push(duplicate(path, text));
  seen.add(found.text);
  return errors;
}
