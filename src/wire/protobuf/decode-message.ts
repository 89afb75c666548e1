import type { FieldLayout, FieldType, MessageLayouts, ScalarType } from "./message-tables.ts";
import { ProtobufFault, WireReader } from "./wire-reader.ts";

/** A decoded message: every field of its layout is there, with its zero where nothing was sent; only a message can be undefined. */
export interface MessageValue {
  [field: string]: FieldValue;
}

export type FieldValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | undefined
  | MessageValue
  | FieldValue[]
  | { [key: string]: FieldValue };

const MAX_DEPTH = 64;
const LENGTH_PREFIXED = 2;

/** What an enum is decoded to when its number has no name in the table. */
export const UNRECOGNIZED = "UNRECOGNIZED";

/** The message `name` that the bytes hold. Unknown fields are skipped; the last of a field sent twice counts.
 *  @throws {ProtobufFault} */
export function decodeMessage(
  layouts: MessageLayouts,
  name: string,
  bytes: Uint8Array,
  depth = 0,
): MessageValue {
  if (depth > MAX_DEPTH) throw new ProtobufFault("proto: nested too deeply");
  const layout = layouts.get(name);
  if (!layout) throw new Error(`broken invariant: no layout of the message ${name}`);
  const out = empty(layout);
  const nested = (type: string, inner: Uint8Array) => decodeMessage(layouts, type, inner, depth + 1);
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field: number, wireType } = reader.tag();
    const field = layout.get(number);
    if (field) readField(out, field, { reader, wireType, nested });
    else reader.skip(wireType);
  }
  return out;
}

interface At {
  readonly reader: WireReader;
  readonly wireType: number;
  readonly nested: (type: string, bytes: Uint8Array) => MessageValue;
}

function empty(layout: ReadonlyMap<number, FieldLayout>): MessageValue {
  const out: MessageValue = {};
  for (const { name, repeats, type } of layout.values())
    out[name] = repeats === "list" ? [] : repeats === "map" ? {} : zeroOf(type);
  return out;
}

function zeroOf(type: FieldType): FieldValue {
  if (type.kind === "message") return undefined;
  if (type.kind === "enum") return type.names.get(0) ?? UNRECOGNIZED;
  switch (type.scalar) {
    case "string":
      return "";
    case "bool":
      return false;
    case "bytes":
      return new Uint8Array();
    case "int64":
    case "uint64":
      return 0n;
    default:
      return 0;
  }
}

function readField(out: MessageValue, { name, repeats, type }: FieldLayout, at: At): void {
  if (repeats === "no") out[name] = readValue(type, at);
  else if (repeats === "map") readEntry(out[name], type, at);
  else {
    const list = out[name];
    if (!Array.isArray(list)) throw new Error(`broken invariant: ${name} is a list`);
    if (isPacked(type, at.wireType)) readPacked(list, type, at);
    else list.push(readValue(type, at));
  }
}

function isPacked(type: FieldType, wireType: number): boolean {
  if (wireType !== LENGTH_PREFIXED || type.kind === "message") return false;
  return type.kind === "enum" || (type.scalar !== "string" && type.scalar !== "bytes");
}

function readPacked(list: FieldValue[], type: FieldType, at: At): void {
  const wireType = type.kind === "scalar" && type.scalar === "double" ? 1 : 0;
  for (const reader = new WireReader(at.reader.bytes()); !reader.atEnd; )
    list.push(readValue(type, { ...at, reader, wireType }));
}

function readEntry(map: FieldValue, type: FieldType, at: At): void {
  if (typeof map !== "object" || Array.isArray(map) || map instanceof Uint8Array)
    throw new Error("broken invariant: the field is a map");
  const reader = new WireReader(expectPrefixed(at));
  let key = "";
  let value = type.kind === "message" ? at.nested(type.name, new Uint8Array()) : zeroOf(type);
  while (!reader.atEnd) {
    const { field, wireType } = reader.tag();
    if (field === 1) key = text(expectPrefixed({ reader, wireType }));
    else if (field === 2) value = readValue(type, { ...at, reader, wireType });
    else reader.skip(wireType);
  }
  // Assignment would take "__proto__" for something else than a key.
  Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}

function readValue(type: FieldType, at: At): FieldValue {
  if (type.kind === "message") return at.nested(type.name, expectPrefixed(at));
  if (type.kind === "scalar") return readScalar(type.scalar, at);
  return type.names.get(Number(BigInt.asIntN(32, expectVarint(at)))) ?? UNRECOGNIZED;
}

function readScalar(scalar: ScalarType, at: At): FieldValue {
  switch (scalar) {
    case "string":
      return text(expectPrefixed(at));
    case "bytes":
      return Uint8Array.from(expectPrefixed(at));
    case "bool":
      return expectVarint(at) !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, expectVarint(at)));
    case "uint32":
      return Number(BigInt.asUintN(32, expectVarint(at)));
    case "int64":
      return BigInt.asIntN(64, expectVarint(at));
    case "uint64":
      return expectVarint(at);
    case "double": {
      if (at.wireType !== 1) throw wrongType(at.wireType);
      const bytes = at.reader.fixed(8);
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
    }
    default:
      return scalar satisfies never;
  }
}

function expectPrefixed({ reader, wireType }: Pick<At, "reader" | "wireType">): Uint8Array {
  if (wireType !== LENGTH_PREFIXED) throw wrongType(wireType);
  return reader.bytes();
}

function expectVarint({ reader, wireType }: Pick<At, "reader" | "wireType">): bigint {
  if (wireType !== 0) throw wrongType(wireType);
  return reader.varint();
}

function wrongType(wireType: number): ProtobufFault {
  return new ProtobufFault(`proto: wrong wireType = ${wireType}`);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
