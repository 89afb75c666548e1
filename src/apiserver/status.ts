import { Fault, isFault } from "#fault/fault";
import type { FieldError, KindSpec } from "./kinds/kind.ts";

export type StatusReason =
  | "AlreadyExists"
  | "BadRequest"
  | "Conflict"
  | "Expired"
  | "Forbidden"
  | "InternalError"
  | "Invalid"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "NotFound"
  | "NotImplemented"
  | "RequestEntityTooLarge"
  | "ServiceUnavailable"
  | "Timeout"
  | "TooManyRequests"
  | "Unauthorized"
  /** An error that kube-apiserver gives no reason for. */
  | "Unknown"
  | "UnsupportedMediaType";

export interface Cause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

const HTTP_CODE: Readonly<Record<StatusReason, number>> = {
  AlreadyExists: 409,
  BadRequest: 400,
  Conflict: 409,
  Expired: 410,
  Forbidden: 403,
  InternalError: 500,
  Invalid: 422,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  NotFound: 404,
  NotImplemented: 501,
  RequestEntityTooLarge: 413,
  ServiceUnavailable: 503,
  Timeout: 504,
  TooManyRequests: 429,
  Unauthorized: 401,
  Unknown: 500,
  UnsupportedMediaType: 415,
};

/** A refusal that the client gets as a Status object; its message is what kube-apiserver would say. */
export class StatusFault extends Fault<StatusReason> {
  readonly httpCode: number;
  readonly details: StatusDetails | undefined;
  /** Set on an expired continue token: a token that goes on, inconsistently, from the newest state. */
  readonly continueToken: string | undefined;

  constructor(
    reason: StatusReason,
    message: string,
    options: {
      details?: StatusDetails | undefined;
      cause?: unknown;
      httpCode?: number;
      continueToken?: string;
    } = {},
  ) {
    super(reason, message, { cause: options.cause });
    this.httpCode = options.httpCode ?? HTTP_CODE[reason];
    this.details = options.details;
    this.continueToken = options.continueToken;
  }

  toStatus(): object {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: "Failure",
      message: this.message,
      ...(this.code === "Unknown" ? {} : { reason: this.code }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.httpCode,
    };
  }
}

/** A resource as messages name it: `deployments.apps`, or just `pods` in the core group. */
export interface ResourceName {
  readonly group: string;
  readonly plural: string;
}

export function qualified({ group, plural }: ResourceName): string {
  return group === "" ? plural : `${plural}.${group}`;
}

export function badRequest(message: string): StatusFault {
  return new StatusFault("BadRequest", message);
}

/** An error for which kube-apiserver has no reason: 500. */
export function unknownFault(message: string): StatusFault {
  return new StatusFault("Unknown", message);
}

export function notFound(resource: ResourceName, name: string): StatusFault {
  return new StatusFault("NotFound", `${qualified(resource)} "${name}" not found`, {
    details: about(resource, name),
  });
}

export function alreadyExists(resource: ResourceName, name: string, prefix = ""): StatusFault {
  return new StatusFault("AlreadyExists", `${prefix}${qualified(resource)} "${name}" already exists`, {
    details: about(resource, name),
  });
}

const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

/** No generated name was free. */
export function nameNotMade(resource: ResourceName, name: string): StatusFault {
  return new StatusFault(
    "AlreadyExists",
    `${qualified(resource)} "${name}" already exists, the server was not able to generate a unique name for the object`,
    { details: { ...about(resource, name), retryAfterSeconds: 1 } },
  );
}

export function conflict(resource: ResourceName, name: string, why: string = MODIFIED): StatusFault {
  return new StatusFault(
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    {
      details: about(resource, name),
    },
  );
}

export function forbidden(resource: ResourceName, name: string, why: string): StatusFault {
  const named = name === "" ? qualified(resource) : `${qualified(resource)} "${name}"`;
  return new StatusFault("Forbidden", `${named} is forbidden: ${why}`, { details: about(resource, name) });
}

export function methodNotAllowed(verb: string, resource: ResourceName): StatusFault {
  return new StatusFault(
    "MethodNotAllowed",
    `${verb} is not supported on resources of kind "${qualified(resource)}"`,
    {
      details: about(resource, ""),
    },
  );
}

/** A path that the API has, asked in a way that it does not answer. */
export function wrongMethod(): StatusFault {
  return new StatusFault(
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    { details: {} },
  );
}

/** A path under a group of the API's own that leads nowhere. */
export function noSuchPath(): StatusFault {
  return new StatusFault("NotFound", "the server could not find the requested resource", { details: {} });
}

export function internalError(cause: unknown): StatusFault {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StatusFault("InternalError", `Internal error occurred: ${message}`, {
    details: { causes: [{ reason: "InternalError", message }] },
    cause,
  });
}

/** What may no longer be done to a custom resource whose definition is being deleted. */
export function terminating(verb: string, resource: ResourceName): StatusFault {
  return new StatusFault(
    "MethodNotAllowed",
    `${verb} not allowed while custom resource definition is terminating`,
    { details: about(resource, "") },
  );
}

/** Whatever went wrong, as the client is told. */
export function asStatus(error: unknown): StatusFault {
  if (error instanceof StatusFault) return error;
  if (isFault(error) && error.code === "Misfit") return badRequest(error.message);
  if (isFault(error) && (error.code === "StoreClosed" || error.code === "StoreEnded"))
    return new StatusFault("ServiceUnavailable", error.message, {
      details: { retryAfterSeconds: 1 },
      cause: error,
    });
  return internalError(error);
}

/** 422 with every field error, as kube-apiserver words them. */
export function invalid(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusFault {
  // what two rules find is said once, though it is two causes
  const lines = [...new Set(errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`))];
  const what = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const all = lines.length === 1 ? (lines[0] ?? "") : `[${lines.join(", ")}]`;
  return new StatusFault("Invalid", `${what} "${name}" is invalid: ${all}`, {
    details: {
      ...(name === "" ? {} : { name }),
      ...(kind.group === "" ? {} : { group: kind.group }),
      ...(kind.kind === "" ? {} : { kind: kind.kind }),
      causes: errors.map((error) => ({
        reason: error.type === "Internal" ? "InternalError" : `FieldValue${error.type}`,
        message: fieldErrorBody(error),
        field: error.path,
      })),
    },
  });
}

export function invalidObject(spec: KindSpec, name: string, errors: readonly FieldError[]): StatusFault {
  return invalid(spec.conversion?.storedAs ?? spec.resource, name, errors);
}

function about({ group, plural }: ResourceName, name: string): StatusDetails {
  return { ...(name === "" ? {} : { name }), ...(group === "" ? {} : { group }), kind: plural };
}

export function fieldErrorBody(error: FieldError): string {
  const detail = error.detail === "" ? "" : `: ${error.detail}`;
  switch (error.type) {
    case "Required":
      return `Required value${detail}`;
    case "Invalid":
    case "TypeInvalid":
      if (error.omitsValue) return `Invalid value${detail}`;
      return `Invalid value: ${formatValue(error.value)}${detail}`;
    case "NotSupported":
      return `Unsupported value: ${formatValue(error.value)}${detail}`;
    case "Duplicate":
      return `Duplicate value: ${formatValue(error.value)}${detail}`;
    case "Forbidden":
      return `Forbidden${detail}`;
    case "NotFound":
      return `Not found: ${formatValue(error.value)}${detail}`;
    case "TooLong":
      return `Too long${detail}`;
    case "TooMany":
      return error.value === undefined
        ? `Too many${detail}`
        : `Too many: ${formatValue(error.value)}${detail}`;
    case "Internal":
      return `Internal error${detail}`;
    default:
      return error.type satisfies never;
  }
}

function formatValue(value: unknown): string {
  return value === undefined ? "null" : JSON.stringify(value);
}
