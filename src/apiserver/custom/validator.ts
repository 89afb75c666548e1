import { RE2JS } from "re2js";
import { isObject, type Json, type JsonObject, own, sameJson } from "../json.ts";
import type { Correlation } from "./correlation.ts";
import { hasFormat, knownFormat } from "./formats.ts";
import { Found } from "./found.ts";
import { checkNumber } from "./numbers.ts";
import { itemsOf, type Schema, valuesOf } from "./schema.ts";

/** Checks values by one schema, in kube-apiserver's order and words. What it needs is made when first used and kept: a schema has thousands of
 *  nodes and an object meets a few dozen. @see kube-openapi/pkg/validation/validate */
export class Validator {
  readonly #schema: Schema;
  readonly #types: readonly string[];
  readonly #format: string | undefined;
  readonly #fields = new Map<string, Validator>();
  #pattern: RE2JS | undefined;
  #items: Validator | undefined;
  #values: Validator | undefined;
  #alternatives: Readonly<Record<"anyOf" | "oneOf" | "allOf" | "not", readonly Validator[]>> | undefined;

  constructor(schema: Schema) {
    this.#schema = schema;
    const type = schema.type ?? "";
    this.#types = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : type === "" ? [] : [type];
    this.#format = knownFormat(this.#types.length === 1 ? type : "", schema.format);
  }

  /** `path`: where the value is, empty at the start. `old`: what the value takes the place of; what has not changed in an update may stay wrong. */
  check(value: Json, path = "", old?: Correlation): Found {
    const found = new Found();
    this.#checkType(value, path, found);
    if (value === null) {
      this.#checkEnum(value, path, found);
      return found;
    }
    found.matches++;
    this.#checkAlternatives(value, path, found, old);
    if (typeof value === "string") this.#checkText(value, path, found);
    else if (typeof value === "number")
      checkNumber(value, { schema: this.#schema, types: this.#types, path, found });
    else if (Array.isArray(value)) this.#checkList(value, path, found, old);
    this.#checkEnum(value, path, found);
    if (isObject(value)) this.#checkFields(value, path, found, old);
    found.matches++;
    return found;
  }

  #checkType(value: Json, path: string, found: Found): void {
    const types = this.#types;
    if (types.length === 0 && this.#format === undefined) return;
    const actual = typeOfJson(value);
    if (value === null) {
      if (types.length > 0 && this.#schema.nullable !== true)
        this.#misfit("null", types.join(","), path, found);
      else found.matches++;
      return;
    }
    const isNumeric = types.includes("number") || types.includes("integer");
    const fits = types.includes(actual) || (actual === "integer" && types.includes("number"));
    if (this.#format !== undefined && actual !== "string" && actual !== "array" && !fits)
      this.#misfit(formatOfJson(actual), this.#format, path, found);
    else if (!isNumeric && this.#format !== undefined && (actual === "string" || actual === "array"))
      found.matches++;
    else if (fits) found.matches++;
    else this.#misfit(actual, types.join(","), path, found);
  }

  #misfit(actual: string, wanted: string, path: string, found: Found): void {
    const detail = `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`;
    found.add({ type: "TypeInvalid", name: path, value: actual, detail, text: detail });
  }

  #checkAlternatives(value: Json, path: string, found: Found, old: Correlation | undefined): void {
    this.#alternatives ??= alternativesOf(this.#schema);
    const { anyOf, oneOf, allOf, not } = this.#alternatives;
    const nowhere = (text: string) =>
      found.add({ type: "Invalid", name: undefined, value: "", detail: text, text });
    const quoted = JSON.stringify(path);
    if (anyOf.length > 0) {
      const results = firstValid(anyOf, (each) => each.check(value, path, old));
      const valid = results.find(({ isValid }) => isValid);
      if (valid === undefined) nowhere(`${quoted} must validate at least one schema (anyOf)`);
      found.merge(valid ?? nearest(results));
    }
    if (oneOf.length > 0) {
      const results = oneOf.map((each) => each.check(value, path, old));
      const valid = results.filter(({ isValid }) => isValid);
      const count = valid.length === 0 ? "Found none valid" : `Found ${valid.length} valid alternatives`;
      if (valid.length !== 1) nowhere(`${quoted} must validate one and only one schema (oneOf). ${count}`);
      if (valid.length < 2) found.merge(valid[0] ?? nearest(results));
    }
    if (allOf.length > 0) {
      const results = allOf.map((each) => each.check(value, path, old));
      for (const result of results) found.merge(result);
      const valid = results.filter(({ isValid }) => isValid).length;
      const none = valid === 0 ? ". None validated" : "";
      if (valid !== results.length) nowhere(`${quoted} must validate all the schemas (allOf)${none}`);
    }
    if (not.some((each) => each.check(value, path, old).isValid))
      nowhere(`${quoted} must not validate the schema (not)`);
    found.matches++;
  }

  #checkText(value: string, path: string, found: Found): void {
    const { maxLength, minLength, pattern } = this.#schema;
    const invalid = (detail: string) =>
      found.add({
        type: "Invalid",
        name: path,
        value,
        detail: `${path} in body ${detail}`,
        text: `${path} ${detail}`,
      });
    const length = maxLength === undefined && minLength === undefined ? 0 : runesIn(value);
    if (maxLength !== undefined && length > maxLength)
      found.add({
        type: "TooLong",
        name: path,
        detail: `may not be more than ${maxLength} bytes`,
        text: `${path} too long ${maxLength}`,
      });
    else if (minLength !== undefined && length < minLength)
      invalid(`should be at least ${minLength} chars long`);
    else if (pattern !== undefined && pattern !== "" && !this.#hasPattern(value, pattern))
      invalid(`should match '${pattern}'`);
    found.matches++;
    if (this.#format === undefined) return;
    if (!hasFormat(this.#format, value)) {
      const detail = `${path} in body must be of type ${this.#format}: ${JSON.stringify(value)}`;
      found.add({ type: "TypeInvalid", name: path, value, detail, text: detail });
    }
    found.matches++;
  }

  #hasPattern(value: string, pattern: string): boolean {
    this.#pattern ??= RE2JS.compile(pattern);
    return this.#pattern.matcher(value).find();
  }

  #checkList(list: readonly Json[], path: string, found: Found, old: Correlation | undefined): void {
    const { maxItems, minItems, uniqueItems } = this.#schema;
    const items = itemsOf(this.#schema);
    if (items !== undefined) {
      this.#items ??= new Validator(items);
      for (const [i, item] of list.entries())
        found.merge(checkChild(this.#items, item, `${path}[${i}]`, old?.index(i)));
    }
    const size = list.length;
    if (minItems !== undefined && size < minItems) {
      const detail = `${path} in body should have at least ${minItems} items`;
      found.add({ type: "Invalid", name: path, value: size, detail, text: detail });
    }
    if (maxItems !== undefined && size > maxItems) tooMany(path, size, maxItems, "items", found);
    if (uniqueItems && list.some((item, i) => list.slice(0, i).some((before) => sameJson(item, before)))) {
      const detail = `${path} in body shouldn't contain duplicates`;
      found.add({ type: "Invalid", name: path, value: "", detail, text: detail });
    }
    found.matches += 2;
  }

  #checkEnum(value: Json, path: string, found: Found): void {
    const allowed = this.#schema.enum;
    if (allowed !== undefined && allowed.length > 0 && !allowed.some((each) => sameJson(each, value))) {
      const words = allowed.map((each) =>
        JSON.stringify(typeof each === "string" ? each : JSON.stringify(each)),
      );
      found.add({
        type: "NotSupported",
        name: path,
        value,
        detail: `supported values: ${words.join(", ")}`,
        text: `${path} enum ${words.join()}`,
      });
    }
    found.matches++;
  }

  #checkFields(value: JsonObject, path: string, found: Found, old: Correlation | undefined): void {
    const { maxProperties, minProperties, properties, required } = this.#schema;
    const count = Object.keys(value).length;
    if (minProperties !== undefined && count < minProperties) {
      const detail = `${path} in body should have at least ${minProperties} properties`;
      found.add({ type: "Invalid", name: path, value: count, detail, text: detail });
    }
    if (maxProperties !== undefined && count > maxProperties)
      tooMany(path, count, maxProperties, "properties", found);
    this.#checkValues(value, path, found, old);
    for (const field of Object.keys(properties ?? {})) {
      const inner = own(value, field);
      if (inner === undefined) continue;
      const at = path === "" ? field : `${path}.${field}`;
      const before =
        path === "" && (field === "kind" || field === "apiVersion") ? undefined : old?.key(field);
      found.merge(checkChild(this.#field(field), inner, at, before));
    }
    for (const field of required ?? [])
      if (!Object.hasOwn(value, field))
        found.add({
          type: "Required",
          name: `${path}.${field}`,
          detail: "",
          text: `${path}.${field} required`,
        });
    found.matches++;
  }

  /** The fields that have no schema of their own. */
  #checkValues(value: JsonObject, path: string, found: Found, old: Correlation | undefined): void {
    const { additionalProperties, properties } = this.#schema;
    if (additionalProperties === undefined || additionalProperties === true) return;
    const values = valuesOf(this.#schema);
    for (const [key, inner] of Object.entries(value)) {
      if (properties !== undefined && Object.hasOwn(properties, key)) continue;
      if (values !== undefined) {
        this.#values ??= new Validator(values);
        found.merge(checkChild(this.#values, inner, `${path}.${key}`, old?.key(key)));
      } else {
        const detail = `${path}.${key} in body is a forbidden property`;
        found.add({ type: "Invalid", name: path, value: "", detail, text: detail });
      }
    }
  }

  #field(name: string): Validator {
    const known = this.#fields.get(name);
    if (known !== undefined) return known;
    const made = new Validator(this.#schema.properties?.[name] ?? {});
    this.#fields.set(name, made);
    return made;
  }
}

/** Flaws that were there before, in a value that has not changed, are let through. */
function checkChild(validator: Validator, value: Json, path: string, old: Correlation | undefined): Found {
  const found = validator.check(value, path, old);
  if (found.isValid || old === undefined || !old.isUnchanged) return found;
  const passed = new Found();
  passed.matches = found.matches;
  return passed;
}

function alternativesOf(schema: Schema) {
  const made = (list: readonly Schema[] | undefined) => (list ?? []).map((each) => new Validator(each));
  return {
    anyOf: made(schema.anyOf),
    oneOf: made(schema.oneOf),
    allOf: made(schema.allOf),
    not: made(schema.not === undefined ? [] : [schema.not]),
  };
}

function firstValid(validators: readonly Validator[], check: (validator: Validator) => Found): Found[] {
  const results: Found[] = [];
  for (const validator of validators) {
    const result = check(validator);
    results.push(result);
    if (result.isValid) break;
  }
  return results;
}

/** Of those that failed, the first with the most right. */
function nearest(results: readonly Found[]): Found {
  return results.reduce((best, each) => (each.matches > best.matches ? each : best));
}

function tooMany(path: string, size: number, max: number, what: string, found: Found): void {
  const detail = `must have at most ${max} items`;
  found.add({ type: "TooMany", name: path, value: size, detail, text: `${path} too many ${what} ${max}` });
}

function runesIn(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function typeOfJson(value: Json): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** What Go calls the format of a value of this type. */
function formatOfJson(type: string): string {
  return { integer: "int64", number: "float64" }[type] ?? "";
}
