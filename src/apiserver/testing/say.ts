import type { JsonObject } from "../json.ts";
import { ask } from "./client.ts";
import type { Rig } from "./rig.ts";

/** What a write was answered with, as kubectl would print it: warnings, then `created`, `configured`, `deleted` or the message. */
export async function say(
  rig: Rig,
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: object,
): Promise<string> {
  const {
    code,
    headers,
    body: said,
    text,
  } = await ask(rig, method, path, body === undefined ? {} : { body });
  const warnings = warningsOf(headers["warning"]).map((warning) => `Warning: ${warning}\n`);
  const done = code === 201 ? "created" : method === "DELETE" ? "deleted" : "configured";
  return `${warnings.join("")}${code < 300 ? done : ((said as JsonObject | undefined)?.["message"] ?? text)}`;
}

function warningsOf(header: unknown): string[] {
  const texts = Array.isArray(header) ? header.map(String) : typeof header === "string" ? [header] : [];
  return texts.flatMap((text) =>
    [...text.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, said = ""]) => said.replace(/\\(.)/g, "$1")),
  );
}
