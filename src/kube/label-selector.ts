import { Fault } from "#fault/fault";
import type { LabelSelector, LabelSelectorRequirement } from "./generated/types.ts";

type Labels = Readonly<Record<string, string>> | undefined;

/** Whether the labels satisfy every requirement. An empty selector matches everything. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels?.[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every((requirement) => matchesRequirement(requirement, labels));
}

/** Whether the selector asks for nothing, and so would match everything. */
export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return (
    Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0
  );
}

/** One requirement of a label or node selector; `NotIn` and `DoesNotExist` hold for absent keys, `Gt` and `Lt` compare integers. */
export function matchesRequirement(requirement: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labels?.[requirement.key];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return isInteger(value) && isInteger(values[0]) && BigInt(value) > BigInt(values[0]);
    case "Lt":
      return isInteger(value) && isInteger(values[0]) && BigInt(value) < BigInt(values[0]);
    default:
      return false;
  }
}

/** The text form of a selector, as query parameters and `/scale` carry it: `app=web,tier in (a,b),!old`. */
export function formatSelector(selector: LabelSelector): string {
  const equal = Object.entries(selector.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return [...equal, ...(selector.matchExpressions ?? []).map(formatRequirement)].join(",");
}

/** Reads `a=b,c!=d,e in (f,g),h,!i,j>5`. The message of the fault is the one kube-apiserver answers with.
 *  @throws {Fault} BadSelector */
export function parseSelector(text: string): LabelSelector {
  const requirements = splitRequirements(text).map(parseRequirement);
  return requirements.length === 0 ? {} : { matchExpressions: requirements };
}

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^[+-]?\d{1,19}$/.test(text);
}

function formatRequirement({ key, operator, values = [] }: LabelSelectorRequirement): string {
  const sorted = [...values].sort().join(",");
  switch (operator) {
    case "In":
      return `${key} in (${sorted})`;
    case "NotIn":
      return `${key} notin (${sorted})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return `${key}${operator === "Gt" ? ">" : "<"}${values[0] ?? ""}`;
  }
}

/** Cuts at commas outside parentheses. */
function splitRequirements(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return text.trim() === "" ? [] : parts;
}

function parseRequirement(part: string): LabelSelectorRequirement {
  const text = part.trim();
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    return checked(text, { key: set[1] ?? "", operator: set[2] === "in" ? "In" : "NotIn", values });
  }
  const binary = /^([^\s=!<>]+)\s*(==|=|!=|<|>)\s*([^\s=!<>()]*)$/.exec(text);
  if (binary) {
    const operator = { "=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt" }[binary[2] ?? ""] ?? "In";
    return checked(text, { key: binary[1] ?? "", operator, values: [binary[3] ?? ""] });
  }
  if (text.startsWith("!"))
    return checked(text, { key: text.slice(1).trim(), operator: "DoesNotExist", values: [] });
  return checked(text, { key: text, operator: "Exists", values: [] });
}

function checked(text: string, requirement: LabelSelectorRequirement): LabelSelectorRequirement {
  const { key, operator, values = [] } = requirement;
  if (!KEY.test(key)) refuse(text, `invalid label key ${JSON.stringify(key)}`);
  const bad = values.find((value) => !VALUE.test(value));
  if (bad !== undefined) refuse(text, `invalid label value ${JSON.stringify(bad)}`);
  if ((operator === "Gt" || operator === "Lt") && !isInteger(values[0]))
    refuse(text, `for 'Gt', 'Lt' operators, the value must be an integer`);
  return values.length === 0 ? { key, operator } : requirement;
}

function refuse(text: string, why: string): never {
  throw new Fault("BadSelector", `unable to parse requirement: ${why}`, { detail: { text } });
}
