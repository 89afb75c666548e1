import { Fault } from "#fault/fault";

/** The specification's numbers for what went wrong. @see CNI specification 1.1, section 5, "Error" */
export const ERROR_CODES = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  badEnvironment: 4,
  io: 5,
  decoding: 6,
  badConfig: 7,
  badNetns: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** Ours, the first that the specification leaves to plugins: the node refused, and asking again changes nothing. */
  refused: 100,
} as const;
export type ErrorReason = keyof typeof ERROR_CODES;

/** A call that is answered with an error. */
export class PluginError extends Fault<ErrorReason> {
  /** More for a person, beside the message. */
  readonly more: string;

  constructor(code: ErrorReason, message: string, more = "") {
    super(code, message);
    this.name = "PluginError";
    this.more = more;
  }
}

/** What goes to standard output beside a non-zero exit code. */
export function formatError(cniVersion: string, { code, message, more }: PluginError): string {
  return `${JSON.stringify({ cniVersion, code: ERROR_CODES[code], msg: message, ...(more ? { details: more } : {}) })}\n`;
}
