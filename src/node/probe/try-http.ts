import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { formatEndpoint, isIp } from "#addr/ip";
import type { HTTPGetAction, HTTPHeader } from "#kube/generated/types";

export interface HttpAnswer {
  readonly isSuccess: boolean;
  readonly output: string;
}

const MAX_REDIRECTS = 10;
const MAX_BODY_BYTES = 10 * 1024;

/** GETs as the kubelet does: no keep-alive, no proxy, no certificate check; 200 to 399 is success, redirects are followed only
 *  to the same host. Rejects with what the network said. */
export async function tryHttp(
  action: HTTPGetAction,
  target: { ip: string; port: number },
  { signal }: { signal: AbortSignal },
): Promise<HttpAnswer> {
  const host = action.host || target.ip;
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const path = action.path?.startsWith("/") ? action.path : `/${action.path ?? ""}`;
  const authority = isIp(host) ? formatEndpoint(host, target.port) : `${host}:${target.port}`;
  let url = new URL(`${scheme}://${authority}${path}`);
  for (let hops = 0; ; hops++) {
    const answer = await get(url, action.httpHeaders ?? [], signal);
    const next = redirectOf(answer, url);
    if (!next) return verdictOf(answer);
    if (next.hostname !== url.hostname || hops === MAX_REDIRECTS)
      return { isSuccess: true, output: `Probe terminated redirects, Response body: ${answer.body}` };
    url = next;
  }
}

interface Got {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

function get(url: URL, extra: readonly HTTPHeader[], signal: AbortSignal): Promise<Got> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(
      url,
      { agent: false, signal, headers: headersOf(extra), rejectUnauthorized: false, method: "GET" },
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

function headersOf(extra: readonly HTTPHeader[]): Record<string, string> {
  const headers: Record<string, string> = {
    "User-Agent": "kube-probe/1.36",
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
