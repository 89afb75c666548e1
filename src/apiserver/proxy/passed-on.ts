import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** What concerns one connection alone, or is between the client and the API server. */
const NOT_PASSED_ON = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const PRIVATE = /^(?:authorization|impersonate-.*|x-remote-.*)$/;

/** A request's or an answer's headers, as the other side of a proxy is to see them. */
export function passedOn(
  headers: IncomingHttpHeaders,
  { keepsUpgrade }: { readonly keepsUpgrade: boolean },
): Record<string, string | string[]> {
  const named = String(headers.connection ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  const dropped = new Set([...NOT_PASSED_ON, ...named]);
  if (keepsUpgrade) for (const name of ["connection", "upgrade"]) dropped.delete(name);
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !dropped.has(name) && !PRIVATE.test(name)) out[name] = value;
  return out;
}

/** Whom the request has come from, one after the other. */
export function forwardedFor(request: IncomingMessage): string {
  const before = request.headers["x-forwarded-for"];
  const client = request.socket.remoteAddress ?? "";
  return before === undefined ? client : `${before}, ${client}`;
}
