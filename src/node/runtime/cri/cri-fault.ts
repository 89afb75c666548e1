import { Fault } from "#fault/fault";

/** gRPC's status codes by number. @see https://grpc.io/docs/guides/status-codes */
const CODES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

export type GrpcStatus = (typeof CODES)[number];

/** A call that the runtime refused ("RuntimeRefused"), or that found nobody to answer it ("RuntimeDown"); the message is in the words a
 *  kubelet's events have. */
export class CriFault extends Fault<"RuntimeRefused" | "RuntimeDown"> {
  readonly status: GrpcStatus;
  /** What the runtime said, without gRPC's part. */
  readonly words: string;

  constructor(call: string, code: number, words: string) {
    const status = CODES[code] ?? "Unknown";
    const faultCode = status === "Unavailable" ? "RuntimeDown" : "RuntimeRefused";
    super(faultCode, `rpc error: code = ${status} desc = ${words}`, { detail: { call, status } });
    this.status = status;
    this.words = words;
  }
}

export function hasStatus(error: unknown, ...statuses: readonly GrpcStatus[]): error is CriFault {
  return error instanceof CriFault && statuses.includes(error.status);
}

/** What was to be ended or removed is not there: that is done. */
export async function unlessAbsent(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasStatus(error, "NotFound")) throw error;
  }
}
