import { parseDocument } from "yaml";
import { Fault } from "#fault/fault";
import type { Toleration } from "#kube/generated/types";
import { printable } from "#telemetry/printable";
import { SERVICELB } from "../names.ts";

/** Any list that means something is far shorter; reading YAML is slow. */
const LONGEST_TEXT = 32_768;

/** The tolerations a Service asks for its pods: a list in JSON or YAML, each checked as K3s does.
 *  @throws {Fault} BadAnnotation, with the annotation's name or the toleration's place */
export function readTolerations(text: string | undefined): readonly Toleration[] {
  if (text === undefined) return [];
  if (text.length > LONGEST_TEXT)
    throw unreadable(`${text.length} characters are more than the ${LONGEST_TEXT} that are read`);
  const list = readList(text);
  if (list === null || list === undefined) return [];
  if (!Array.isArray(list)) throw unreadable("expected a list");
  return list.map((item: unknown, index) => readToleration(item, index));
}

type Reading = { readonly value: unknown; readonly isYaml: boolean };

function readList(text: string): unknown {
  const { value, isYaml } = readText(text);
  return isYaml && Array.isArray(value) ? value.map(asText) : value;
}

function readText(text: string): Reading {
  try {
    return { value: JSON.parse(text), isYaml: false };
  } catch {
    return { value: readYaml(text), isYaml: true };
  }
}

/** YAML 1.1, as Kubernetes reads it. */
function readYaml(text: string): unknown {
  try {
    const document = parseDocument(text, { version: "1.1", prettyErrors: false, logLevel: "silent" });
    const [first] = document.errors;
    if (first) throw first;
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw unreadable(cause instanceof Error ? cause.message : String(cause));
  }
}

/** In YAML a key or value may be written as a number or a truth: its text is what is meant. */
function asText(item: unknown): unknown {
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(
    Object.entries(item).map(([field, value]: [string, unknown]) => [
      field,
      field.toLowerCase() !== "tolerationseconds" && (typeof value === "number" || typeof value === "boolean")
        ? String(value)
        : value,
    ]),
  );
}

function readToleration(item: unknown, index: number): Toleration {
  if (typeof item !== "object" || item === null || Array.isArray(item))
    throw unreadable(`item ${index} is not a toleration`);
  const fields = new Map(
    Object.entries(item).map(([field, value]: [string, unknown]) => [field.toLowerCase(), value]),
  );
  const text = (field: string) => textAt(fields, field, index);
  const operator = text("operator") || "Equal";
  const [key, value, effect] = [text("key"), text("value"), text("effect")];
  if (key === "" && operator !== "Exists")
    throw invalid(index, "toleration with empty key must have operator 'Exists'");
  if (operator === "Exists" && value !== "")
    throw invalid(index, "toleration with operator 'Exists' must have an empty value");
  const seconds = secondsAt(fields, index);
  return {
    ...(key ? { key } : {}),
    operator,
    ...(value ? { value } : {}),
    ...(effect ? { effect } : {}),
    ...(seconds === undefined ? {} : { tolerationSeconds: seconds }),
  };
}

function textAt(fields: ReadonlyMap<string, unknown>, field: string, index: number): string {
  const value = fields.get(field) ?? "";
  if (typeof value !== "string") throw unreadable(`${field} of item ${index} is not text`);
  return value;
}

function secondsAt(fields: ReadonlyMap<string, unknown>, index: number): number | undefined {
  const value = fields.get("tolerationseconds") ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw unreadable(`tolerationSeconds of item ${index} is not a whole number`);
}

function unreadable(why: string): Fault {
  const sentence = printable(why.length > 200 ? `${why.slice(0, 200)}...` : why);
  return new Fault(
    "BadAnnotation",
    `failed to parse tolerations from annotation ${SERVICELB.tolerations}: ${sentence}`,
  );
}

function invalid(index: number, why: string): Fault {
  return new Fault("BadAnnotation", `validation failed for toleration ${index}: ${why}`);
}
