import { asError } from "#fault/fault";

const CONNECT: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  EADDRNOTAVAIL: "connect: cannot assign requested address",
  ETIMEDOUT: "connect: connection timed out",
};

/** Why a connection could not be made, as those who read events of kubelets know it: `dial tcp 192.0.2.1:80: connect: connection refused`. */
export function dialError(error: unknown, address: string): string {
  const { message } = asError(error);
  const why = CONNECT[codeOf(error)];
  return why === undefined ? message : `dial tcp ${address}: ${why}`;
}

/** Why a GET had no answer, in the same way: `Get "http://192.0.2.1/": EOF`. */
export function getError(error: unknown, url: URL): string {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const reset = codeOf(error) === "ECONNRESET" ? "EOF" : undefined;
  const clear = isClearAnswer(error) ? "http: server gave HTTP response to HTTPS client" : undefined;
  return `Get "${url.href}": ${reset ?? clear ?? dialError(error, `${url.hostname}:${port}`)}`;
}

/** What a GET says that was given up, and what a connection does. */
export function getTimeout(url: string): string {
  return `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
}

/** Whether the other end does not speak TLS, as OpenSSL says it. */
export function isClearAnswer(error: unknown): boolean {
  return (
    error instanceof Error &&
    /wrong version number|packet length too long|http request|HTTP response to HTTPS/i.test(error.message)
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
