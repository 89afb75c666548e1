import { ProtobufFault, WireReader } from "#wire/protobuf/wire-reader";
import table from "../generated/protobuf.json" with { type: "json" };
import { isObject, type Json, type JsonObject, setOwn } from "../json.ts";

/** The one cast: the generated table is what its script says. Message to field number to `jsonName type`. */
const MESSAGES = table as unknown as Readonly<Record<string, Readonly<Record<string, string>>>>;
const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const MAX_DEPTH = 64;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly repeats: "" | "*" | "%";
  readonly keepsZero: boolean;
}

/** What stands around every Kubernetes protobuf object. */
export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/** Opens the `k8s\0` envelope of a body. @throws {ProtobufFault} */
export function decodeEnvelope(body: Uint8Array): Envelope {
  if (MAGIC.some((byte, i) => body[i] !== byte))
    throw new ProtobufFault("provided data does not appear to be a protobuf message");
  const envelope = { apiVersion: "", kind: "", raw: new Uint8Array() };
  for (const reader = new WireReader(body.subarray(4)); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 2) Object.assign(envelope, decodeTypeMeta(reader.bytes()));
    else if (field === 2 && wireType === 2) envelope.raw = reader.bytes() as Uint8Array<ArrayBuffer>;
    else reader.skip(wireType);
  }
  return envelope;
}

/** An object of the message `definition` (OpenAPI spelling) as the JSON that Go would have written: zeroes of plain fields left out.
 *  @throws {ProtobufFault} */
export function decodeMessage(definition: string, bytes: Uint8Array, depth = 0): JsonObject {
  const fields = MESSAGES[definition];
  if (fields === undefined) throw new ProtobufFault(`no protobuf layout for ${definition}`);
  if (depth > MAX_DEPTH) throw new ProtobufFault("proto: nested too deeply");
  const out: JsonObject = {};
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field: number, wireType } = reader.tag();
    const field = parseField(fields[number]);
    if (field === undefined) reader.skip(wireType);
    else readField(out, field, { reader, wireType, depth });
  }
  return out;
}

interface At {
  readonly reader: WireReader;
  readonly wireType: number;
  readonly depth: number;
}

function readField(out: JsonObject, field: Field, at: At): void {
  if (field.name.startsWith("^") && field.repeats === "") {
    const inner = decodeMessage(field.type, at.reader.bytes(), at.depth + 1);
    for (const [name, value] of Object.entries(inner)) setOwn(out, name, value);
  } else if (field.repeats === "*") {
    const list = out[field.name];
    const value = readValue(field.type, at) ?? null;
    if (Array.isArray(list)) list.push(value);
    else setOwn(out, field.name, [value]);
  } else if (field.repeats === "%") {
    const [key, value] = readEntry(field.type, at);
    const map = out[field.name];
    const target = isObject(map) ? map : {};
    setOwn(target, key, value);
    setOwn(out, field.name, target);
  } else {
    const value = readValue(field.type, at);
    const keepsZero = field.keepsZero || isMessage(field.type);
    if (value !== undefined && (keepsZero || !isZero(value))) setOwn(out, field.name, value);
  }
}

/** A message that is there says so, even where it stands for `false`, 0 or "". */
function isMessage(type: string): boolean {
  return type.includes(".");
}

function isZero(value: Json): boolean {
  return value === 0 || value === "" || value === false;
}

function readEntry(type: string, at: At): [string, Json] {
  const reader = new WireReader(at.reader.bytes());
  let key = "";
  let value: Json | undefined;
  while (!reader.atEnd) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 2) key = text(reader.bytes());
    else if (field === 2) value = readValue(type, { reader, wireType, depth: at.depth + 1 });
    else reader.skip(wireType);
  }
  return [key, value ?? (MESSAGES[type] === undefined ? "" : {})];
}

function readValue(type: string, at: At): Json | undefined {
  switch (type) {
    case "string":
      return text(at.reader.bytes());
    case "int32":
    case "int64":
      return Number(BigInt.asIntN(64, at.reader.varint()));
    case "bool":
      return at.reader.varint() !== 0n;
    case "double": {
      const bytes = at.reader.fixed(8);
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
    }
    case "bytes":
      return Buffer.from(at.reader.bytes()).toString("base64");
    case "time":
    case "micro-time":
      return decodeTime(at.reader.bytes(), type === "micro-time");
    case "quantity":
      return decodeQuantity(at.reader.bytes());
    case "int-or-string":
      return decodeIntOrString(at.reader.bytes());
    default:
      return readMessage(type, at);
  }
}

const RAW_JSON = /\.(RawExtension|FieldsV1|apiextensions\.v1\.JSON)$/;
const UNION = /\.JSONSchemaPropsOr(Array|Bool|StringArray)$/;

function readMessage(type: string, at: At): Json | undefined {
  const bytes = at.reader.bytes();
  if (RAW_JSON.test(type)) return decodeRawJson(bytes);
  if (/\.(ExtraValue|Verbs)$/.test(type)) return decodeMessage(type, bytes, at.depth + 1)["items"] ?? [];
  const inner = decodeMessage(type, bytes, at.depth + 1);
  const union = UNION.exec(type)?.[1];
  return union === undefined ? inner : settleUnion(inner, union);
}

/** What stands in JSON for one of a schema's unions: the schema, or what else it may be. */
function settleUnion(inner: JsonObject, union: string): Json {
  const { schema, jSONSchemas, property, allows } = inner;
  const list = jSONSchemas ?? property;
  if (list !== undefined) return list;
  return schema ?? (union === "Bool" ? allows === true : null);
}

function decodeRawJson(bytes: Uint8Array): Json | undefined {
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field !== 1 || wireType !== 2) {
      reader.skip(wireType);
      continue;
    }
    const raw = text(reader.bytes());
    try {
      return raw === "" ? undefined : (JSON.parse(raw) as Json);
    } catch {
      throw new ProtobufFault("proto: an embedded object is not JSON");
    }
  }
  return undefined;
}

function decodeTime(bytes: Uint8Array, isMicro: boolean): string | undefined {
  let seconds = 0n;
  let nanos = 0n;
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 0) seconds = BigInt.asIntN(64, reader.varint());
    else if (field === 2 && wireType === 0) nanos = BigInt.asIntN(64, reader.varint());
    else reader.skip(wireType);
  }
  const date = new Date(Number(seconds) * 1000);
  // Go's zero time is the first second of the year 1; Kubernetes writes it as null.
  if (bytes.length === 0 || Number.isNaN(date.getTime()) || seconds === -62135596800n) return undefined;
  const whole = date.toISOString().slice(0, 19);
  return isMicro ? `${whole}.${String(nanos / 1000n).padStart(6, "0")}Z` : `${whole}Z`;
}

function decodeQuantity(bytes: Uint8Array): string {
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 2) return text(reader.bytes());
    reader.skip(wireType);
  }
  return "0";
}

function decodeIntOrString(bytes: Uint8Array): Json {
  let isText = false;
  let number = 0;
  let string = "";
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 0) isText = reader.varint() === 1n;
    else if (field === 2 && wireType === 0) number = Number(BigInt.asIntN(64, reader.varint()));
    else if (field === 3 && wireType === 2) string = text(reader.bytes());
    else reader.skip(wireType);
  }
  return isText ? string : number;
}

function decodeTypeMeta(bytes: Uint8Array): { apiVersion: string; kind: string } {
  const meta = { apiVersion: "", kind: "" };
  for (const reader = new WireReader(bytes); !reader.atEnd; ) {
    const { field, wireType } = reader.tag();
    if (field === 1 && wireType === 2) meta.apiVersion = text(reader.bytes());
    else if (field === 2 && wireType === 2) meta.kind = text(reader.bytes());
    else reader.skip(wireType);
  }
  return meta;
}

const FIELD = /^(\S+) ([*%]?)([^!]+)(!?)$/;
const parsed = new Map<string, Field>();

function parseField(source: string | undefined): Field | undefined {
  if (source === undefined) return undefined;
  const known = parsed.get(source);
  if (known !== undefined) return known;
  const match = FIELD.exec(source);
  if (match === null) throw new Error(`broken invariant: protobuf table entry ${source}`);
  const [, name = "", repeats = "", type = "", mark] = match;
  const field: Field = {
    name,
    type,
    repeats: repeats === "*" ? "*" : repeats === "%" ? "%" : "",
    keepsZero: mark === "!",
  };
  parsed.set(source, field);
  return field;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
