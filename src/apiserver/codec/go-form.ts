import { formatQuantity, parseQuantity } from "#kube/quantity";
import { isObject, type Json, type JsonObject } from "../json.ts";
import { type Definition, type FieldType, shapeOf } from "../schema.ts";

/** What Go's encoder does with a field: what it writes when there is nothing, and whether it leaves out what is zero. */
interface Rule {
  /** Written when the value is missing; undefined: nothing is. */
  readonly missing: (() => Json) | undefined;
  /** A zero value is left out (Go's `omitempty` on anything but a pointer or a struct). */
  readonly dropsZero: boolean;
  /** Always written, and null when it is empty: what is stored does not tell an empty list from none. */
  readonly isList: boolean;
  readonly inner: ((value: Json) => void) | undefined;
}

/** A definition's rules: those of fields that are there, and those that write something when a field is not. */
interface Rules {
  readonly byField: Map<string, Rule>;
  readonly missing: { readonly field: string; readonly make: () => Json }[];
}

const rules = new WeakMap<Definition, Rules>();

/** Gives an object, in place, the form in which Go would write it: zero values of `omitempty` fields are gone, and fields that are always
 *  written are there. Clients compare texts and managedFields name such fields, so the form is part of the API. */
export function toGoForm(value: JsonObject, type: FieldType): void {
  const shape = shapeOf(type);
  if (shape.is === "struct") settle(value, shape.definition);
}

/** What Go writes for an object of the type that holds nothing. */
export function emptyGoForm(type: FieldType): JsonObject {
  const out: JsonObject = {};
  toGoForm(out, type);
  return out;
}

function settle(value: JsonObject, definition: Definition): void {
  const { byField, missing } = rulesOf(definition);
  // Of a pod's many fields few are there: going through those is quicker than asking for each that there might be.
  for (const field in value) {
    const rule = byField.get(field);
    if (rule === undefined) continue;
    const present = value[field];
    if (present === undefined || present === null) {
      if (rule.missing === undefined && present === null) delete value[field];
    } else if (rule.dropsZero && isZero(present)) delete value[field];
    else if (rule.isList && Array.isArray(present) && present.length === 0) value[field] = null;
    else rule.inner?.(present);
  }
  for (const { field, make } of missing) value[field] ??= make();
}

function isZero(value: Json): boolean {
  if (typeof value !== "object") return value === "" || value === 0 || value === false;
  return value !== null && (Array.isArray(value) ? value.length : Object.keys(value).length) === 0;
}

function rulesOf(definition: Definition): Rules {
  const known = rules.get(definition);
  if (known !== undefined) return known;
  // Set before the fields are looked at: some types contain themselves.
  const made: Rules = { byField: new Map(), missing: [] };
  rules.set(definition, made);
  const { go } = definition;
  if (go === undefined) return made;
  const [pointers, kept, omitsZero] = [go.pointers, go.kept, go.omitsZero].map(
    (names) => new Set(names?.split(" ")),
  );
  for (const [field, type] of Object.entries(definition.fields)) {
    const isPointer = pointers?.has(field) === true;
    const isKept = kept?.has(field) === true;
    const rule = isPointer
      ? { missing: isKept ? () => null : undefined, dropsZero: false }
      : ruleOfValue(type, { isKept, omitsZero: omitsZero?.has(field) === true });
    const inner = innerOf(type);
    const isList = isKept && !isPointer && shapeOf(type).is === "list";
    // Most fields need nothing done.
    if (rule.missing !== undefined || rule.dropsZero || inner !== undefined)
      made.byField.set(field, { ...rule, isList, inner });
    if (rule.missing !== undefined) made.missing.push({ field, make: rule.missing });
  }
  return made;
}

function ruleOfValue(
  type: FieldType,
  { isKept, omitsZero }: { readonly isKept: boolean; readonly omitsZero: boolean },
): Pick<Rule, "missing" | "dropsZero"> {
  const shape = shapeOf(type);
  if (shape.is === "struct") {
    if (omitsZero) return { missing: undefined, dropsZero: true };
    return { missing: () => emptyOf(shape.definition), dropsZero: false };
  }
  if (shape.is === "list" || shape.is === "map")
    return { missing: isKept ? () => null : undefined, dropsZero: !isKept };
  switch (shape.scalar) {
    case "time":
    case "micro-time":
      return { missing: omitsZero ? undefined : () => null, dropsZero: false };
    case "quantity":
      return { missing: () => "0", dropsZero: false };
    case "int-or-string":
      return { missing: () => 0, dropsZero: false };
    case "any":
    case "json":
      return { missing: isKept ? () => null : undefined, dropsZero: false };
    case "bytes":
      return { missing: isKept ? () => null : undefined, dropsZero: !isKept };
    case "boolean":
      return { missing: isKept ? () => false : undefined, dropsZero: !isKept };
    case "string":
      return { missing: isKept ? () => "" : undefined, dropsZero: !isKept };
    default:
      return { missing: isKept ? () => 0 : undefined, dropsZero: !isKept };
  }
}

const MILLI = 1_000_000n;

/** Resources are counted in thousandths at the finest, rounded up. */
function roundAmounts(value: Json): void {
  if (!isObject(value)) return;
  for (const [name, text] of Object.entries(value)) {
    const quantity = typeof text === "string" ? parseQuantity(text) : undefined;
    const rest = quantity === undefined ? 0n : quantity.nanos % MILLI;
    if (quantity === undefined || rest === 0n) continue;
    const nanos = quantity.nanos - rest + (rest > 0n ? MILLI : 0n);
    value[name] = formatQuantity({ ...quantity, nanos });
  }
}

function emptyOf(definition: Definition): JsonObject {
  const out: JsonObject = {};
  settle(out, definition);
  return out;
}

function innerOf(type: FieldType): Rule["inner"] {
  const shape = shapeOf(type);
  if (shape.is === "scalar") return undefined;
  if (shape.is === "struct") {
    if (shape.definition.go === undefined && Object.keys(shape.definition.fields).length === 0)
      return undefined;
    return (value) => {
      if (isObject(value)) settle(value, shape.definition);
    };
  }
  if (shape.is === "map" && shape.type.map === "quantity") return roundAmounts;
  const element = innerOf(shape.is === "list" ? shape.type.list : shape.type.map);
  if (element === undefined) return undefined;
  return (value) => {
    if (Array.isArray(value)) value.forEach(element);
    else if (isObject(value)) Object.values(value).forEach(element);
  };
}
