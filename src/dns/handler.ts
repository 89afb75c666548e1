import type { Edns } from "#wire/dns/edns";
import { CLASS, OPCODE, RCODE } from "#wire/dns/numbers";
import { HEADER_BYTES, type Question, readQuestion, readRequestRecords } from "#wire/dns/query";
import { encodeHeaderOnly, encodeReply } from "./encode-reply.ts";
import type { AnswerMessage } from "./listen.ts";
import type { Peer, Query } from "./query.ts";
import { bare, type Sent } from "./reply.ts";
import type { ZoneTable } from "./zone-table.ts";

export interface HandlerOptions {
  readonly random: () => number;
  /** Hears of a link that threw, which is a bug; the client got SERVFAIL. */
  readonly onPanic: (error: unknown) => void;
}

/** From a request's bytes to a reply's, by the rules of acceptance: silence for what is no request, a bare code for what
 *  cannot be read or is not served, the chain for the rest. */
export function openHandler(zones: ZoneTable, options: HandlerOptions): AnswerMessage {
  const { random, onPanic } = options;
  const finish = (query: Query, sent: Sent): Buffer => encodeReply(query, sent, random);
  const panic = (query: Query, error: unknown): Buffer => {
    onPanic(error);
    return finish(query, bare(RCODE.SERVFAIL));
  };
  return (message, peer) => {
    if (message.length < HEADER_BYTES || (message[2] ?? 0x80) & 0x80) return undefined;
    const query = readQuery(message, peer);
    if (Buffer.isBuffer(query)) return query;
    const refused = refusal(query);
    if (refused !== undefined) return finish(query, bare(refused));
    const site = zones.find(query.question);
    if (site === undefined) return finish(query, bare(RCODE.REFUSED));
    if (query.question.class !== CLASS.IN && !site.takesEveryClass) return finish(query, bare(RCODE.REFUSED));
    try {
      const sent = site.answer(query);
      if (!(sent instanceof Promise)) return finish(query, sent);
      return sent.then((late) => finish(query, late)).catch((error: unknown) => panic(query, error));
    } catch (error) {
      return panic(query, error);
    }
  };
}

/** The query in a request, or the reply to one that cannot be read. */
function readQuery(message: Buffer, peer: Peer): Query | Buffer {
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  const opcode = (flags >> 11) & 15;
  if (opcode !== OPCODE.QUERY && opcode !== OPCODE.NOTIFY) return encodeHeaderOnly(id, flags, RCODE.NOTIMP);
  const hasOddCounts =
    message.readUInt16BE(4) !== 1 ||
    message.readUInt16BE(6) > 1 ||
    message.readUInt16BE(8) > 1 ||
    message.readUInt16BE(10) > 2;
  if (hasOddCounts) return encodeHeaderOnly(id, flags, RCODE.FORMERR);
  let question: Question;
  let edns: Edns | undefined;
  try {
    question = readQuestion(message);
    edns = message.length === question.end ? undefined : readRequestRecords(message, question.end);
    if (message.length === question.end && message.readUInt16BE(10) > 0)
      throw new RangeError("records are missing");
  } catch {
    return encodeHeaderOnly(id, flags, RCODE.FORMERR);
  }
  return { message, id, flags, question, edns, peer };
}

function refusal({ edns, flags }: Query): number | undefined {
  if (edns !== undefined && edns.version !== 0) return RCODE.BADVERS;
  return ((flags >> 11) & 15) === OPCODE.QUERY ? undefined : RCODE.NOTIMP;
}
