import { isIp, isLinkLocal, isLoopback } from "#addr/ip";
import { badRequest } from "../status.ts";

/** What stands before `/proxy`: `name`, `name:port` or `scheme:name:port`. */
export interface Named {
  readonly scheme: "http" | "https" | "";
  readonly name: string;
  /** A number or a name; empty when not given. */
  readonly port: string;
}

/** @throws {StatusFault} BadRequest, for a `kind` such as `service` */
export function parseNamed(text: string, kind: string): Named {
  const parts = text.split(":");
  const [scheme, name, port] =
    parts.length === 1 ? ["", parts[0], ""] : parts.length === 2 ? ["", parts[0], parts[1]] : parts;
  const isScheme = scheme === "" || scheme === "http" || scheme === "https";
  if (parts.length > 3 || !isScheme || !name)
    throw badRequest(`invalid ${kind} request ${JSON.stringify(text)}`);
  return { scheme, name, port: port ?? "" };
}

/** Whether the API server may be sent to this address by whoever asks: never to itself or to what only this machine can see. */
export function mayReach(address: string): boolean {
  if (!isIp(address)) return false;
  const isMulticast = /^(?:22[4-9]|23\d)\.|^ff/i.test(address);
  const isNowhere = address === "0.0.0.0" || address === "::" || address === "255.255.255.255";
  return !isLoopback(address) && !isLinkLocal(address) && !isMulticast && !isNowhere;
}

/** What follows `/proxy` in the path, still percent-encoded; empty when nothing does, not even a slash. */
export function restOf(path: string): { readonly prefix: string; readonly rest: string } {
  const at = /^\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy/.exec(path)?.[0].length ?? path.length;
  return { prefix: path.slice(0, at), rest: path.slice(at) };
}
