import { readFileSync } from "node:fs";
import { untilAborted } from "../preamble.ts";
import type { Flag } from "./flags.ts";
import { type HttpAnswer, type HttpRequest, json, serveHttp } from "./http-server.ts";
import { type SubcommandInput, say } from "./subcommand.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Answers the `request` of a review; the uid is added by the server. */
export type Reviewer = (request: Fields) => Fields | Promise<Fields>;

/** The flags that say where a review server listens, and as whom. */
export const REVIEW_FLAGS: readonly Flag[] = [
  { name: "tls-cert-file", kind: "text", fallback: "", help: "Certificate chain of the server, PEM" },
  { name: "tls-private-key-file", kind: "text", fallback: "", help: "Private key of the server, PEM" },
  { name: "port", kind: "number", fallback: "443", help: "Port number" },
];

/** Serves reviews over TLS until the signal: a POST to one of `paths` is answered by its reviewer, in the version of the
 *  review that was asked; `/readyz` says ok. */
export async function serveReviews(
  { flags, signal }: Pick<SubcommandInput, "flags" | "signal">,
  kind: string,
  paths: Readonly<Record<string, Reviewer>>,
): Promise<number> {
  const tls = {
    cert: readFileSync(flags.text("tls-cert-file")),
    key: readFileSync(flags.text("tls-private-key-file")),
  };
  const handler = async (request: HttpRequest): Promise<HttpAnswer> => {
    const path = request.url.pathname;
    if (path === "/readyz") return { body: "ok" };
    const reviewer = Object.hasOwn(paths, path) ? paths[path] : undefined;
    if (reviewer === undefined) return { status: 404, body: "404 page not found\n" };
    return review(await request.body(), kind, reviewer);
  };
  await serveHttp(flags.number("port"), handler, { signal, tls });
  await untilAborted(signal);
  return 0;
}

async function review(body: Buffer, kind: string, reviewer: Reviewer): Promise<HttpAnswer> {
  const asked = readJson(body);
  if (asked?.["kind"] !== kind)
    return { status: 400, body: `Unsupported group version kind: ${asked?.["kind"]}\n` };
  const request = fieldsOf(asked["request"]);
  say(`reviewing ${JSON.stringify(request)}`);
  const response = { uid: request["uid"], ...(await reviewer(request)) };
  say(`answering ${JSON.stringify(response)}`);
  const answer = json({ apiVersion: asked["apiVersion"], kind, response });
  return { ...answer, headers: { "Content-Type": "application/json" } };
}

function readJson(body: Buffer): Fields | undefined {
  try {
    return fieldsOf(JSON.parse(body.toString()));
  } catch {
    return undefined;
  }
}

/** The value as an object; an empty one when it is something else. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The value as a list of objects; an empty one when it is something else. */
export function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
