import { Fault } from "#fault/fault";

/** `unreachable`: no answer came. `refused`: the answer was not the one of a webhook. `late`: it did not come in time. */
export type WebhookCode = "unreachable" | "refused" | "late";

/** Why a webhook could not be asked, in the words of Go's client. */
export class WebhookFault extends Fault<WebhookCode> {}

const CONNECT_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};
const TLS_REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate signed by unknown authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate signed by unknown authority",
  CERT_SIGNATURE_FAILURE: "certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "certificate has expired or is not yet valid",
};

/** What went wrong on the way to `address`, as Go would say it. */
export function transportReason(error: unknown, address: string): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  const connect = CONNECT_REASONS[code];
  if (connect !== undefined) return `dial tcp ${address}: ${connect}`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `dial tcp: lookup ${address.replace(/:\d+$/, "")}: no such host`;
  const untrusted = TLS_REASONS[code];
  if (untrusted !== undefined) return `tls: failed to verify certificate: x509: ${untrusted}`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `tls: failed to verify certificate: x509: ${error.message}`;
  return code === "ECONNRESET" || code === "EPIPE" ? "EOF" : error.message;
}

/** What client-go says to an answer that is no success. */
export function statusReason(code: number, body: string): string {
  const said = body.trim().slice(0, 2048);
  switch (code) {
    case 401:
      return "the server has asked for the client to provide credentials";
    case 404:
      return "the server could not find the requested resource";
    case 503:
      return "the server is currently unable to handle the request";
    case 504:
      return "the server was unable to return a response in the time allotted, but may still be processing the request";
    default:
      if (code >= 500)
        return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`;
      return said === "" ? "the server rejected our request for an unknown reason" : said;
  }
}
