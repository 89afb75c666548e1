import { shortName } from "../schema.ts";
import table from "./descriptions.json" with { type: "json" };

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The one cast: type to field to sentence; the empty field is the type itself, the type `*` any that says nothing of its own. */
const TEXTS = table as Table;

/** What a type is, in a sentence; undefined when there is none. */
export function describeType(definition: string): string | undefined {
  return textOf(shortName(definition), "");
}

/** What a field of a type is for, in a sentence; undefined when there is none. */
export function describeField(definition: string, field: string): string | undefined {
  return textOf(shortName(definition), field) ?? textOf("*", field);
}

function textOf(type: string, field: string): string | undefined {
  const fields = Object.hasOwn(TEXTS, type) ? TEXTS[type] : undefined;
  return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : undefined;
}
