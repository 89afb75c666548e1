/** Generic netlink: families that a kernel names, each under a number of its own choice. After the netlink header come a
 *  command and a version, then attributes. @see linux/genetlink.h */
import type { NlMessage } from "./netlink.ts";
import { decodeAttributes, type NlAttributes, readString, readU16, string } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

/** The one family whose number is fixed: it knows the others. */
export const GENL_ID_CTRL = 16;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_VERSION = 2;
const CTRL_ATTR = { familyId: 1, familyName: 2 } as const;

const HEADER_BYTES = 4;
const LONGEST_NAME = 15;

/** The fixed part of every generic netlink message. */
export function genlHeader(command: number, version: number): Uint8Array {
  return Uint8Array.of(command, version, 0, 0);
}

/** What follows the fixed part. @throws {WireError} */
export function decodeGenl({ payload }: Pick<NlMessage, "payload">): {
  readonly command: number;
  readonly attributes: NlAttributes;
} {
  if (payload.length < HEADER_BYTES)
    throw new WireError("generic netlink message", `${payload.length} bytes are no header`);
  return { command: payload[0] ?? 0, attributes: decodeAttributes(payload.subarray(HEADER_BYTES)) };
}

/** The body of a request, of type `GENL_ID_CTRL`, for the number of a family such as `wireguard`. A kernel that has it as a
 *  module loads that; one that has not answers ENOENT. */
export function encodeFamilyQuery(name: string): Uint8Array[] {
  if (name === "" || name.length > LONGEST_NAME)
    throw new RangeError(`${JSON.stringify(name)} is no family's name`);
  return [genlHeader(CTRL_CMD_GETFAMILY, CTRL_VERSION), string(CTRL_ATTR.familyName, name)];
}

export interface GenlFamily {
  /** The type of its messages. */
  readonly id: number;
  readonly name: string;
}

/** Reads the answer. @throws {WireError} */
export function decodeFamily(message: Pick<NlMessage, "payload">): GenlFamily {
  const { command, attributes } = decodeGenl(message);
  const id = readU16(attributes, CTRL_ATTR.familyId);
  if (command !== CTRL_CMD_NEWFAMILY || id === undefined)
    throw new WireError("generic netlink family", `command ${command} with ${id ?? "no"} number`);
  return { id, name: readString(attributes, CTRL_ATTR.familyName) ?? "" };
}
