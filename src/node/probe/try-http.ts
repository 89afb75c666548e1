import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { formatEndpoint, isIp } from "#addr/ip";
import type { HTTPGetAction, HTTPHeader } from "#kube/generated/types";

import { getError, getTimeout } from "./network-words.ts";

export interface HttpAnswer {
  readonly isSuccess: boolean;
  readonly output: string;
  /** Told although it is a success. */
  readonly warning?: string;
}

const MAX_REDIRECTS = 10;
const MAX_BODY_BYTES = 10 * 1024;

/** A probe's GET: 200 to 399 is success, and so is being sent to another host, with a warning. Rejects with what the network said. */
export async function tryHttp(
  action: HTTPGetAction,
  target: { ip: string; port: number },
  { signal }: { signal: AbortSignal },
): Promise<HttpAnswer> {
  const { answer, isCut } = await sendGet(action, target, { signal, agent: "kube-probe" });
  if (!isCut) return verdictOf(answer);
  const warning = `Probe terminated redirects, Response body: ${answer.body}`;
  return { isSuccess: true, output: warning, warning };
}

/** GETs as the kubelet does: no keep-alive, no proxy, no certificate check; redirects are followed only to the same host. */
export async function sendGet(
  action: HTTPGetAction,
  target: { ip: string; port: number },
  { signal, agent }: { signal: AbortSignal; agent: "kube-probe" | "kube-lifecycle" },
): Promise<{ readonly answer: Got; readonly isCut: boolean }> {
  const host = action.host || target.ip;
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const path = action.path?.startsWith("/") ? action.path : `/${action.path ?? ""}`;
  const authority = isIp(host) ? formatEndpoint(host, target.port) : `${host}:${target.port}`;
  let url = new URL(`${scheme}://${authority}${path}`);
  for (let hops = 0; ; hops++) {
    const answer = await get(url, headersOf(action.httpHeaders ?? [], agent), signal).catch(
      (error: unknown) => {
        throw new Error(signal.aborted ? getTimeout(url.href) : getError(error, url), { cause: error });
      },
    );
    const next = redirectOf(answer, url);
    if (!next) return { answer, isCut: false };
    if (next.hostname !== url.hostname || hops === MAX_REDIRECTS) return { answer, isCut: true };
    url = next;
  }
}

export interface Got {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Got> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(
      url,
      { agent: false, signal, headers, rejectUnauthorized: false, method: "GET" },
      (response) => collect(response).then(resolve, reject),
    );
    request.on("error", reject);
    request.end();
  });
}

async function collect(response: IncomingMessage): Promise<Got> {
  let body = "";
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) break;
  }
  response.destroy();
  const { statusCode: status = 0, headers } = response;
  return { status, location: headers.location, body: body.slice(0, MAX_BODY_BYTES) };
}

function headersOf(extra: readonly HTTPHeader[], agent: string): Record<string, string> {
  const headers: Record<string, string> = {
    "User-Agent": `${agent}/1.36`,
    Accept: "*/*",
    Connection: "close",
  };
  for (const { name, value } of extra) {
    const standing = Object.keys(headers).find((other) => other.toLowerCase() === name.toLowerCase());
    if (standing) delete headers[standing];
    if (value !== "") headers[name] = value;
  }
  return headers;
}

function redirectOf({ status, location }: Got, from: URL): URL | undefined {
  if (status < 300 || status >= 400 || location === undefined) return undefined;
  return URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
}

function verdictOf({ status, body }: Got): HttpAnswer {
  const isSuccess = status >= 200 && status < 400;
  return { isSuccess, output: isSuccess ? body : `HTTP probe failed with statuscode: ${status}` };
}
