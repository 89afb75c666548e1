import { WireError } from "../wire-error.ts";
import { type Edns, readOpt } from "./edns.ts";
import { readName } from "./name.ts";
import { TYPE } from "./numbers.ts";
import { HEADER_BYTES, type Question, readQuestion } from "./query.ts";
import { readRdata } from "./rdata.ts";
import type { ResourceRecord } from "./record.ts";

/** A whole message with one question, decoded. */
export interface Message {
  readonly id: number;
  /** The second word of the header, rcode bits included. */
  readonly flags: number;
  /** With the upper bits from OPT. */
  readonly rcode: number;
  readonly question: Question;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additional: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

/** Decodes a message. @throws {WireError} and nothing else, whatever the bytes */
export function decodeMessage(message: Buffer): Message {
  if (message.length < HEADER_BYTES) throw new WireError("message", "it is shorter than a header");
  if (message.readUInt16BE(4) !== 1) throw new WireError("message", "it does not have exactly one question");
  const question = readQuestion(message);
  const reader = { message, at: question.end, edns: undefined };
  const answers = readSection(reader, message.readUInt16BE(6));
  const authority = readSection(reader, message.readUInt16BE(8));
  const additional = readSection(reader, message.readUInt16BE(10));
  const flags = message.readUInt16BE(2);
  return {
    id: message.readUInt16BE(0),
    flags,
    rcode: (flags & 15) | (reader.edns === undefined ? 0 : upperRcode(reader.edns)),
    question,
    answers,
    authority,
    additional,
    edns: reader.edns,
  };
}

type ReadEdns = Edns & { readonly upperRcode: number };
interface Reader {
  readonly message: Buffer;
  at: number;
  edns: ReadEdns | undefined;
}

const upperRcode = (edns: ReadEdns): number => edns.upperRcode << 4;

function readSection(reader: Reader, count: number): ResourceRecord[] {
  const { message } = reader;
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i++) {
    const { name, next } = readName(message, reader.at);
    if (next + 10 > message.length) throw new WireError("record", "it is cut off");
    const type = message.readUInt16BE(next);
    const length = message.readUInt16BE(next + 8);
    reader.at = next + 10 + length;
    if (reader.at > message.length) throw new WireError("record", "its data runs past the message");
    if (type === TYPE.OPT) {
      if (reader.edns !== undefined) throw new WireError("EDNS", "there are two OPT records");
      reader.edns = { ...readOpt(message, next, length), upperRcode: message[next + 4] ?? 0 };
      continue;
    }
    records.push({
      owner: name,
      type,
      class: message.readUInt16BE(next + 2),
      ttl: ttlOf(message.readUInt32BE(next + 4)),
      data: readRdata(message, type, next + 10, length),
    });
  }
  return records;
}

/** A TTL with its top bit set counts as zero. @see RFC 2181 section 8 */
function ttlOf(raw: number): number {
  return raw > 0x7fffffff ? 0 : raw;
}
