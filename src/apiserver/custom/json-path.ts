import { isObject, type Json } from "../json.ts";

/** A path as printer columns, scale and selectable fields write it, ready to be followed. */
export type JsonPath = readonly Step[];

type Step =
  | { readonly is: "field"; readonly name: string }
  | { readonly is: "index"; readonly at: number }
  | { readonly is: "all" }
  /** `[?(@.type=="Ready")]`: the elements whose field is (or is not) that. */
  | {
      readonly is: "filter";
      readonly path: JsonPath;
      readonly operator: Operator | undefined;
      readonly value: Json;
    };

type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=";

const FIELD = /^\.((?:\\.|[^.[\]\\\s])+)/;
const QUOTED = /^\[\s*'((?:[^'\\]|\\.)*)'\s*\]|^\[\s*"((?:[^"\\]|\\.)*)"\s*\]/;
const INDEX = /^\[\s*(-?\d+)\s*\]/;
const ALL = /^(?:\[\s*\*\s*\]|\.\*)/;
const FILTER =
  /^\[\?\(\s*@((?:[^()=!<>'"]|'[^']*')*?)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|"[^"]*"|[^()\s]+))?\s*\)\]/;

/** Reads `.spec.x[0]['a.b']` and the like; undefined when it is none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = [];
  for (let rest = text === "." ? "" : text; rest !== ""; ) {
    const found = readStep(rest);
    if (found === undefined) return undefined;
    steps.push(found.step);
    rest = rest.slice(found.length);
  }
  return steps;
}

function readStep(rest: string): { readonly step: Step; readonly length: number } | undefined {
  const all = ALL.exec(rest);
  if (all !== null) return { step: { is: "all" }, length: all[0].length };
  const index = INDEX.exec(rest);
  if (index !== null) return { step: { is: "index", at: Number(index[1]) }, length: index[0].length };
  const quoted = QUOTED.exec(rest);
  if (quoted !== null)
    return { step: { is: "field", name: unescaped(quoted[1] ?? quoted[2] ?? "") }, length: quoted[0].length };
  const filter = FILTER.exec(rest);
  if (filter !== null) return readFilter(filter);
  const field = FIELD.exec(rest);
  if (field === null) return undefined;
  return { step: { is: "field", name: unescaped(field[1] ?? "") }, length: field[0].length };
}

function readFilter(match: RegExpExecArray): { readonly step: Step; readonly length: number } | undefined {
  const path = parseJsonPath((match[1] ?? "").trim());
  if (path === undefined) return undefined;
  // The pattern lets nothing else through.
  const operator = match[2] as Operator | undefined;
  return { step: { is: "filter", path, operator, value: literal(match[3] ?? "") }, length: match[0].length };
}

function literal(text: string): Json {
  if (/^['"]/.test(text)) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

/** The values at a path, in order. */
export function followPath(value: Json, path: JsonPath): readonly Json[] {
  let found: readonly Json[] = [value];
  for (const step of path) found = found.flatMap((each) => take(each, step));
  return found;
}

function take(value: Json, step: Step): readonly Json[] {
  switch (step.is) {
    case "field":
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name] ?? null] : [];
    case "index": {
      if (!Array.isArray(value)) return [];
      const at = step.at < 0 ? value.length + step.at : step.at;
      return at >= 0 && at < value.length ? [value[at] ?? null] : [];
    }
    case "all":
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case "filter":
      return Array.isArray(value) ? value.filter((item) => passes(item, step)) : [];
    default:
      return step satisfies never;
  }
}

function passes(item: Json, { path, operator, value }: Extract<Step, { is: "filter" }>): boolean {
  const [actual] = followPath(item, path);
  if (operator === undefined) return actual !== undefined;
  if (actual === undefined) return false;
  switch (operator) {
    case "==":
      return actual === value;
    case "!=":
      return actual !== value;
    default:
      return compares(actual, operator, value);
  }
}

function compares(actual: Json, operator: Exclude<Operator, "==" | "!=">, value: Json): boolean {
  const isComparable =
    (typeof actual === "number" && typeof value === "number") ||
    (typeof actual === "string" && typeof value === "string");
  if (!isComparable) return false;
  const order = actual < value ? -1 : actual > value ? 1 : 0;
  return { "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0 }[operator];
}
