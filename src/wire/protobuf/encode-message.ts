import type { FieldLayout, FieldType, MessageLayouts } from "./message-tables.ts";
import { encodeVarint, WireWriter } from "./wire-writer.ts";

/** What may be encoded: a decoded message of which anything may be left out. */
export type Partially<T> = T extends Uint8Array | string | number | bigint | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Partially<Item>[]
    : { readonly [Field in keyof T]?: Partially<T[Field]> | undefined };

/** The bytes of the message `name`. Zeroes and absent fields are not sent. A value that does not fit its layout is a bug. */
export function encodeMessage(layouts: MessageLayouts, name: string, value: object): Buffer {
  const layout = layouts.get(name);
  if (!layout) throw new Error(`broken invariant: no layout of the message ${name}`);
  const writer = new WireWriter();
  const fields = value as Readonly<Record<string, unknown>>; // Each is checked against its layout below.
  for (const field of layout.values()) {
    const found = fields[field.name];
    if (found !== undefined) writeField(writer, { layouts, field, owner: name }, found);
  }
  return writer.finish();
}

interface At {
  readonly layouts: MessageLayouts;
  readonly field: FieldLayout;
  /** The message that has the field. */
  readonly owner: string;
}

function writeField(writer: WireWriter, at: At, value: unknown): void {
  const { number, repeats, type } = at.field;
  if (repeats === "no") writeValue(writer, number, { ...at, keepsZero: type.kind === "message" }, value);
  else if (repeats === "map") {
    if (typeof value !== "object" || value === null) throw misfit(at, value);
    for (const [key, entry] of Object.entries(value)) {
      const inner = new WireWriter();
      inner.bytes(1, Buffer.from(key));
      writeValue(inner, 2, { ...at, keepsZero: true }, entry);
      writer.bytes(number, inner.finish());
    }
  } else {
    if (!Array.isArray(value)) throw misfit(at, value);
    if (isPackable(type)) writePacked(writer, at, value);
    else for (const item of value) writeValue(writer, number, { ...at, keepsZero: true }, item);
  }
}

function isPackable(type: FieldType): boolean {
  return (
    type.kind === "enum" || (type.kind === "scalar" && !["string", "bytes", "double"].includes(type.scalar))
  );
}

function writePacked(writer: WireWriter, at: At, values: readonly unknown[]): void {
  if (values.length === 0) return;
  writer.bytes(at.field.number, Buffer.concat(values.map((value) => encodeVarint(numberOf(at, value)))));
}

function writeValue(
  writer: WireWriter,
  number: number,
  at: At & { keepsZero: boolean },
  value: unknown,
): void {
  const { type } = at.field;
  if (type.kind === "message") {
    if (typeof value !== "object" || value === null) throw misfit(at, value);
    writer.bytes(number, encodeMessage(at.layouts, type.name, value));
  } else if (typeof value === "string" && type.kind === "scalar" && type.scalar === "string") {
    if (at.keepsZero || value !== "") writer.bytes(number, Buffer.from(value));
  } else if (value instanceof Uint8Array && type.kind === "scalar" && type.scalar === "bytes") {
    if (at.keepsZero || value.length > 0) writer.bytes(number, value);
  } else if (typeof value === "number" && type.kind === "scalar" && type.scalar === "double") {
    if (at.keepsZero || value !== 0) writer.double(number, value);
  } else {
    const integer = numberOf(at, value);
    if (at.keepsZero || integer !== 0n) writer.varint(number, integer);
  }
}

/** The integer that stands for a number, a claim, or the name of an enum's value. */
function numberOf(at: At, value: unknown): bigint {
  const { type } = at.field;
  if (type.kind === "enum" && typeof value === "string") {
    const known = type.numbers.get(value);
    if (known !== undefined) return BigInt(known);
  } else if (type.kind === "scalar") {
    if (type.scalar === "bool" && typeof value === "boolean") return value ? 1n : 0n;
    if (/^u?int(32|64)$/.test(type.scalar)) {
      if (typeof value === "bigint") return value;
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    }
  }
  throw misfit(at, value);
}

function misfit({ owner, field }: At, value: unknown): Error {
  return new Error(`broken invariant: ${owner}.${field.name} cannot hold ${typeof value} ${String(value)}`);
}
