import { declared, type Schema, valuesOf } from "./schema.ts";

/** A path into an object as `fieldPath` and `selectableFields` write it, such as `.spec.labels['a.b']`, read by the object's schema. */
export interface FieldPath {
  readonly steps: readonly string[];
  /** As field errors write it: `spec.labels[a.b]`. */
  readonly text: string;
  /** What the schema says of the value there. */
  readonly schema: Schema | undefined;
}

const DOTTED = /^\.([^.[\]]+)/;
const QUOTED = /^\['((?:[^'\\]|\\.)*)'\]/;
const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "'": "'",
  "\\": "\\",
};

/** Reads a path and follows it through the schema. A text instead says what is wrong with it. */
export function readFieldPath(
  path: string,
  schema: Schema,
  options: { readonly allowsBrackets: boolean },
): FieldPath | string {
  const steps: string[] = [];
  let at: Schema | undefined = schema;
  let text = "";
  for (let rest = path; rest !== ""; ) {
    if (rest.startsWith("[") && !options.allowsBrackets) return "array notation is not allowed";
    const match = DOTTED.exec(rest) ?? QUOTED.exec(rest);
    if (match === null) return problemOf(rest);
    const step = rest.startsWith("[") ? unescaped(match[1] ?? "") : (match[1] ?? "");
    const isNamed: boolean = at?.properties !== undefined;
    if (!isNamed && at?.additionalProperties === undefined) return "does not refer to a valid field";
    at = isNamed ? declared(at, step) : valuesOf(at);
    if (isNamed && at === undefined) return "does not refer to a valid field";
    text += isNamed ? `${text === "" ? "" : "."}${step}` : `[${step}]`;
    steps.push(step);
    rest = rest.slice(match[0].length);
  }
  return { steps, text, schema: at };
}

function problemOf(rest: string): string {
  const token = (text: string) => /^[.[\]]|^[^.[\]]+/.exec(text)?.[0] ?? "";
  if (rest === "." || rest === "[") return "unexpected end of JSON path";
  if (rest.startsWith("[")) return `expected single quoted string but got ${token(rest.slice(1))}`;
  return rest.startsWith(".") ? "does not refer to a valid field" : `expected [ or . but got: ${token(rest)}`;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, sign: string) => ESCAPES[sign] ?? "");
}
