import { asError, Fault } from "#fault/fault";
import type { Status } from "./generated/types.ts";
import { apiVersionOf, type Resource } from "./object.ts";

/** The reasons of the Kubernetes API, and two of our own: nobody answered, or an answer nobody can read. */
export type ApiReason =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Expired"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "Invalid"
  | "TooManyRequests"
  | "InternalError"
  | "ServerTimeout"
  | "ServiceUnavailable"
  | "Timeout"
  | "Unreachable"
  | "Unknown";

const BY_STATUS: Readonly<Record<number, ApiReason>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};
const REASONS = new Set<string>([
  ...Object.values(BY_STATUS),
  "AlreadyExists",
  "Gone",
  "ServerTimeout",
  "Unreachable",
]);

/** A refused call: `code` is the Status' reason, the message what was tried and what the server said. */
export class ApiFault extends Fault<ApiReason> {
  /** HTTP status; 0 when no server answered. */
  readonly status: number;
  /** The server's Status object, when it sent one. */
  readonly body: Status | undefined;

  constructor(
    code: ApiReason,
    message: string,
    options: { status?: number; body?: Status | undefined; cause?: unknown } = {},
  ) {
    super(code, message, { detail: { status: options.status ?? 0 }, cause: options.cause });
    this.name = "ApiFault";
    this.status = options.status ?? 0;
    this.body = options.body;
  }
}

export function isApiFault(error: unknown, ...codes: readonly ApiReason[]): error is ApiFault {
  return error instanceof ApiFault && (codes.length === 0 || codes.includes(error.code));
}

/** What went wrong in the server's own words, where it had some: for conditions and events, which users compare with what they know. */
export function wordsOf(error: unknown): string {
  return (isApiFault(error) ? error.body?.message : undefined) ?? asError(error).message;
}

/** True when one of the Status' causes has that reason, such as `NamespaceTerminating`. */
export function hasCause(error: ApiFault, reason: string): boolean {
  return error.body?.details?.causes?.some((cause) => cause.reason === reason) ?? false;
}

/** The reason of an answer: what its Status says, else what its HTTP status means. */
export function reasonOf(status: number, body: Status | undefined): ApiReason {
  const said = body?.reason;
  if (said !== undefined && REASONS.has(said)) return said as ApiReason;
  return BY_STATUS[status] ?? (status >= 500 ? "InternalError" : "Unknown");
}

/** `deployments.apps "default/web"`: how messages name the target of a call. */
export function describeTarget(resource: Resource, ref?: { namespace?: string | undefined; name?: string }) {
  const group = apiVersionOf(resource).includes("/") ? `.${resource.group}` : "";
  const name = [ref?.namespace, ref?.name].filter((part) => part !== undefined && part !== "").join("/");
  return name === "" ? `${resource.plural}${group}` : `${resource.plural}${group} ${JSON.stringify(name)}`;
}
