/** Layouts as a generated table has them: message to field number to `name type`, with `*` before a list's type and `%` before
 *  that of a map's values; enum to number to name. */
export interface MessageTables {
  readonly messages: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export type ScalarType = "string" | "bool" | "bytes" | "int32" | "uint32" | "int64" | "uint64" | "double";

export type FieldType =
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | {
      readonly kind: "enum";
      readonly names: ReadonlyMap<number, string>;
      readonly numbers: ReadonlyMap<string, number>;
    }
  | { readonly kind: "message"; readonly name: string };

export interface FieldLayout {
  readonly number: number;
  readonly name: string;
  readonly repeats: "no" | "list" | "map";
  readonly type: FieldType;
}

export type MessageLayouts = ReadonlyMap<string, ReadonlyMap<number, FieldLayout>>;

const SCALARS: readonly string[] = [
  "string",
  "bool",
  "bytes",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "double",
];
const FIELD = /^(\S+) ([*%]?)(\S+)$/;

/** The table read once, every type it names resolved. */
export function readMessageTables(tables: MessageTables): MessageLayouts {
  const enums = new Map(Object.entries(tables.enums).map(([name, values]) => [name, enumType(values)]));
  const typeOf = (type: string): FieldType => {
    if (isScalar(type)) return { kind: "scalar", scalar: type };
    const known = enums.get(type);
    if (known) return known;
    if (!tables.messages[type]) throw new Error(`broken invariant: protobuf table without ${type}`);
    return { kind: "message", name: type };
  };
  const layoutOf = ([number, text]: [string, string]): [number, FieldLayout] => {
    const [, name, mark, type] = FIELD.exec(text) ?? [];
    if (name === undefined || type === undefined)
      throw new Error(`broken invariant: protobuf table entry ${text}`);
    const repeats = mark === "*" ? "list" : mark === "%" ? "map" : "no";
    return [Number(number), { number: Number(number), name, repeats, type: typeOf(type) }];
  };
  return new Map(
    Object.entries(tables.messages).map(([name, fields]) => [
      name,
      new Map(Object.entries(fields).map(layoutOf)),
    ]),
  );
}

function isScalar(type: string): type is ScalarType {
  return SCALARS.includes(type);
}

function enumType(values: Readonly<Record<string, string>>): FieldType {
  const pairs = Object.entries(values).map(([number, name]): [number, string] => [Number(number), name]);
  return {
    kind: "enum",
    names: new Map(pairs),
    numbers: new Map(pairs.map(([number, name]) => [name, number])),
  };
}
