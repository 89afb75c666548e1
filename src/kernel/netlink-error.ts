import { errnoName, errnoText } from "#fault/errno";
import { Fault } from "#fault/fault";
import type { NlAnswer } from "#wire/netlink";

/** A request the kernel refused, with all it said: errno, its own sentence, and which attribute it did not like. */
export class NetlinkError extends Fault<string> {
  /** What was asked, such as `add route 10.42.1.0/24`. */
  readonly op: string;
  readonly errno: number;
  /** The kernel's sentence (extended acknowledgement), when it had one. */
  readonly extAck: string | undefined;
  /** Bytes from the start of the request to the offending attribute. */
  readonly offset: number | undefined;

  constructor(op: string, { errno, extAck, offset }: NlAnswer) {
    const reason = extAck ? `${errnoText(errno)} (kernel: ${extAck.replace(/\.$/, "")})` : errnoText(errno);
    super(errnoName(errno), `Cannot ${op}: ${reason}`, { detail: { op, errno, extAck, offset } });
    this.name = "NetlinkError";
    this.op = op;
    this.errno = errno;
    this.extAck = extAck;
    this.offset = offset;
  }
}

/** Whether `error` is the kernel's refusal with one of `codes`, such as `EEXIST`. */
export function isRefusal(error: unknown, ...codes: readonly string[]): error is NetlinkError {
  return error instanceof NetlinkError && codes.includes(error.code);
}

/** Runs `f`; a refusal with one of `codes` means that what it wants is so already, or that there is nothing to find. */
export function tolerating<T>(codes: readonly string[], f: () => T): T | undefined {
  try {
    return f();
  } catch (error) {
    if (isRefusal(error, ...codes)) return undefined;
    throw error;
  }
}
