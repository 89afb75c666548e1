import { Fault } from "#fault/fault";
import { isObject, textAt } from "../json.ts";

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

/** Codes for which client-go has a sentence of its own. */
const ANSWERS: Readonly<Record<number, string>> = {
  400: "the server rejected our request for an unknown reason",
  401: "the server has asked for the client to provide credentials",
  404: "the server could not find the requested resource",
  405: "the server does not allow this method on the requested resource",
  409: "the server reported a conflict",
  422: "the server rejected our request due to an error in our request",
  429: "the server has received too many requests and has asked us to try again later",
  503: "the server is currently unable to handle the request",
  504: "the server was unable to return a response in the time allotted, but may still be processing the request",
};
/** Codes for which the answer speaks for itself. */
const SPEAKING = new Set([403, 406, 415]);

/** What client-go says to an answer that is no success: what a Status in it says, or what its code means. */
export function statusReason(code: number, body: string): string {
  const told = statusMessage(body);
  if (told !== undefined) return told;
  const said = body.trim().slice(0, 2048);
  if (SPEAKING.has(code)) return said === "" ? "unknown" : said;
  const known = ANSWERS[code];
  if (known !== undefined) return known;
  if (code >= 500)
    return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`;
  return `the server responded with the status code ${code} but did not return more information`;
}

function statusMessage(body: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(body);
    if (!isObject(answer) || textAt(answer, "kind") !== "Status") return undefined;
    return textAt(answer, "status") === "Success" ? undefined : textAt(answer, "message");
  } catch {
    return undefined;
  }
}
