import { errnoName, errnoText } from "#fault/errno";
import { Fault } from "#fault/fault";

/** A refused change of nftables. Nothing of the transaction was applied. */
export class NftError extends Fault<string> {
  /** Everything libnftables printed, its caret under the place included; empty for element changes. */
  readonly text: string;

  constructor(code: string, message: string, text: string) {
    super(code, message, { detail: { text } });
    this.name = "NftError";
    this.text = text;
  }
}

const KNOWN: readonly (readonly [phrase: string, code: string])[] = [
  ["No such file or directory", "ENOENT"],
  ["File exists", "EEXIST"],
  ["Operation not permitted", "EPERM"],
  ["Device or resource busy", "EBUSY"],
  ["syntax error", "Syntax"],
];

/** The error of a text libnftables refused, by its own words. */
export function refusedText(errors: string): NftError {
  const first = errors.split("\n", 1)[0] ?? "";
  const code = KNOWN.find(([phrase]) => errors.includes(phrase))?.[1] ?? "Refused";
  return new NftError(code, `Cannot change nftables: ${first.replace(/^.*?Error: /, "")}`, errors);
}

export interface RefusedElement {
  readonly op: "add" | "delete";
  /** `set "frontends" of table ip twill-service`. */
  readonly set: string;
  /** The element's key in hexadecimal, where the kernel said which one. */
  readonly key: string | undefined;
  readonly errno: number;
  readonly extAck: string | undefined;
}

export function refusedElement({ op, set, key, errno, extAck }: RefusedElement): NftError {
  const reason = extAck ? `${errnoText(errno)} (kernel: ${extAck})` : errnoText(errno);
  const element = key === undefined ? "elements" : `element 0x${key}`;
  return new NftError(errnoName(errno), `Cannot ${op} ${element} of ${set}: ${reason}`, "");
}
