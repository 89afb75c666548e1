import { WireError } from "../wire-error.ts";
import { type Edns, readOpt } from "./edns.ts";
import { isPlain, MAX_LABEL_BYTES, MAX_NAME_BYTES, type Name, readName } from "./name.ts";
import { TYPE } from "./numbers.ts";

export const HEADER_BYTES = 12;

/** The one question of a message, as servers need it. */
export interface Question {
  /** Lower case, absolute. */
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Bytes of the name in the message; no compression is possible in the first name. */
  readonly nameBytes: number;
  /** Where the next section starts. */
  readonly end: number;
}

const lowered = Buffer.allocUnsafe(MAX_NAME_BYTES + 1);

/** Reads the question that starts at byte 12. @throws {WireError} */
export function readQuestion(message: Buffer): Question {
  let at = HEADER_BYTES;
  let out = 0;
  let isSimple = true;
  for (;;) {
    const size = message[at];
    if (size === undefined) throw new WireError("question", "its name runs past the message");
    at++;
    if (size === 0) break;
    if (size > MAX_LABEL_BYTES) throw new WireError("question", "its name has a label that is no plain text");
    if (out + size + 1 >= MAX_NAME_BYTES)
      throw new WireError("question", "its name is longer than 255 bytes");
    if (at + size >= message.length) throw new WireError("question", "its name runs past the message");
    for (const end = at + size; at < end; at++) {
      const byte = message[at] ?? 0;
      if (!isPlain(byte)) isSimple = false;
      lowered[out++] = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
    }
    lowered[out++] = 0x2e;
  }
  if (at + 4 > message.length) throw new WireError("question", "its type and class are cut off");
  return {
    name: isSimple
      ? out === 0
        ? "."
        : lowered.toString("latin1", 0, out)
      : readName(message, HEADER_BYTES).name.toLowerCase(),
    type: message.readUInt16BE(at),
    class: message.readUInt16BE(at + 2),
    nameBytes: at - HEADER_BYTES,
    end: at + 4,
  };
}

/** Walks the records after the question of a request, and gives its OPT. @throws {WireError} for records that do not
 *  fill the message as they claim, a second OPT, or one with a name */
export function readRequestRecords(message: Buffer, at: number): Edns | undefined {
  const counts = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  let edns: Edns | undefined;
  for (let i = 0; i < counts; i++) {
    const isRoot = message[at] === 0;
    const next = isRoot ? at + 1 : readName(message, at).next;
    if (next + 10 > message.length) throw new WireError("record", "it is cut off");
    const type = message.readUInt16BE(next);
    const length = message.readUInt16BE(next + 8);
    if (next + 10 + length > message.length) throw new WireError("record", "its data runs past the message");
    if (type === TYPE.OPT) {
      if (edns !== undefined) throw new WireError("EDNS", "there are two OPT records");
      if (!isRoot) throw new WireError("EDNS", "the OPT record has a name");
      edns = readOpt(message, next, length);
    }
    at = next + 10 + length;
  }
  return edns;
}
