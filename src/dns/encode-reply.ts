import { OPT_BYTES, writeOpt } from "#wire/dns/edns";
import { FLAG, RCODE } from "#wire/dns/numbers";
import { HEADER_BYTES } from "#wire/dns/query";
import type { ResourceRecord } from "#wire/dns/record";
import { type PackedRecords, packedRecords } from "./packed-records.ts";
import type { Query } from "./query.ts";
import type { Reply, Sent } from "./reply.ts";

export const MAX_MESSAGE_BYTES = 65_535;
const MIN_UDP_BYTES = 512;

/** The bytes to send for a reply: question as it was asked, records within the size that the asker takes.
 *  What does not fit is left out from the end, and TC tells so. */
export function encodeReply(query: Query, sent: Sent, random: () => number): Buffer {
  const { question, edns, message } = query;
  const packed = packedRecords(sent.reply, question);
  const optBytes = edns === undefined ? 0 : OPT_BYTES;
  const size = question.end + packed.bytes.length + optBytes;
  if (size > replyLimit(query)) return encodeCut(query, sent);
  const out = Buffer.allocUnsafe(size);
  message.copy(out, HEADER_BYTES, HEADER_BYTES, question.end);
  packed.bytes.copy(out, question.end);
  if (sent.ttl !== undefined) for (const at of packed.ttlAt) out.writeUInt32BE(sent.ttl, question.end + at);
  if (sent.isShuffled && packed.run !== undefined) shuffle(out, question.end, packed.run, random);
  writeHeader(out, query, sent.reply, sent.reply.isTruncated);
  const [answers, authority, additional] = packed.counts;
  writeCounts(out, answers, authority, additional + (edns === undefined ? 0 : 1));
  if (edns !== undefined) writeOpt(out, size - OPT_BYTES, edns, sent.reply.rcode);
  return out;
}

/** The largest reply that this query's transport and sender take, in bytes. */
export function replyLimit({ peer, edns }: Query): number {
  if (peer.protocol === "tcp") return MAX_MESSAGE_BYTES;
  return Math.max(MIN_UDP_BYTES, edns?.udpBytes ?? 0);
}

/** A reply that holds only a code, for a request whose body could not be read: nothing of it is repeated but the id. */
export function encodeHeaderOnly(id: number, flags: number, rcode: number): Buffer {
  const out = Buffer.alloc(HEADER_BYTES);
  out.writeUInt16BE(id, 0);
  out.writeUInt16BE(FLAG.QR | (flags & (0x7800 | FLAG.RD | FLAG.CD)) | rcode, 2);
  return out;
}

function writeHeader(out: Buffer, query: Query, reply: Reply, isTruncated: boolean): void {
  const rcode = reply.rcode > 15 && query.edns === undefined ? RCODE.SERVFAIL : reply.rcode;
  out.writeUInt16BE(query.id, 0);
  out.writeUInt16BE(
    FLAG.QR |
      (query.flags & (0x7800 | FLAG.RD | FLAG.CD)) |
      (reply.isAuthoritative ? FLAG.AA : 0) |
      (reply.recursionAvailable ? FLAG.RA : 0) |
      (reply.isAuthentic ? FLAG.AD : 0) |
      (isTruncated ? FLAG.TC : 0) |
      (rcode & 15),
    2,
  );
}

function writeCounts(out: Buffer, answers: number, authority: number, additional: number): void {
  out.writeUInt16BE(1, 4);
  out.writeUInt16BE(answers, 6);
  out.writeUInt16BE(authority, 8);
  out.writeUInt16BE(additional, 10);
}

/** Leaves out records from the end until the rest fits. Rare, so it may cost. */
function encodeCut(query: Query, sent: Sent): Buffer {
  const { reply } = sent;
  const limit = replyLimit(query) - (query.edns === undefined ? 0 : OPT_BYTES) - query.question.end;
  const all = [...reply.answers, ...reply.authority, ...reply.additional];
  const { bytes, ttlAt } = packedRecords(reply, query.question);
  let kept = 0;
  while (kept < all.length && endOfRecord(bytes, ttlAt, kept) <= limit) kept++;
  const length = kept === 0 ? 0 : endOfRecord(bytes, ttlAt, kept - 1);
  const counts = countKept([reply.answers, reply.authority, reply.additional], kept);
  const size = query.question.end + length + (query.edns === undefined ? 0 : OPT_BYTES);
  const out = Buffer.allocUnsafe(size);
  query.message.copy(out, HEADER_BYTES, HEADER_BYTES, query.question.end);
  bytes.copy(out, query.question.end, 0, length);
  for (let i = 0; i < kept && sent.ttl !== undefined; i++)
    out.writeUInt32BE(sent.ttl, query.question.end + (ttlAt[i] ?? 0));
  writeHeader(out, query, reply, true);
  writeCounts(out, counts[0] ?? 0, counts[1] ?? 0, (counts[2] ?? 0) + (query.edns === undefined ? 0 : 1));
  if (query.edns !== undefined) writeOpt(out, size - OPT_BYTES, query.edns, reply.rcode);
  return out;
}

/** A record ends after its TTL (4), the length of its data (2), and the data. */
function endOfRecord(bytes: Buffer, ttlAt: Uint32Array, i: number): number {
  const at = ttlAt[i] ?? 0;
  return at + 6 + bytes.readUInt16BE(at + 4);
}

function countKept(sections: readonly (readonly ResourceRecord[])[], kept: number): number[] {
  let left = kept;
  return sections.map((records) => {
    const taken = Math.min(records.length, left);
    left -= taken;
    return taken;
  });
}

const held = Buffer.alloc(512);

/** Deals the records of the run in a random order, in place. @see Fisher and Yates */
function shuffle(
  out: Buffer,
  base: number,
  { from, size, count }: NonNullable<PackedRecords["run"]>,
  random: () => number,
): void {
  const first = base + from;
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    if (i === j) continue;
    const [a, b] = [first + i * size, first + j * size];
    out.copy(held, 0, a, a + size);
    out.copy(out, a, b, b + size);
    held.copy(out, b, 0, size);
  }
}
