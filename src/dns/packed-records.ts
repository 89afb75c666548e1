import { TYPE } from "#wire/dns/numbers";
import { Packer, QUESTION_NAME_AT } from "#wire/dns/packer";
import type { Question } from "#wire/dns/query";
import type { ResourceRecord } from "#wire/dns/record";
import type { Reply } from "./reply.ts";

/** The records of a reply as they stand after a question of one length. */
export interface PackedRecords {
  readonly bytes: Buffer;
  /** Where each record's TTL stands in `bytes`. */
  readonly ttlAt: Uint32Array;
  readonly counts: readonly [answers: number, authority: number, additional: number];
  /** Neighbouring address answers of equal size, which may trade places. */
  readonly run: { readonly from: number; readonly size: number; readonly count: number } | undefined;
}

/** Replies for whole zones keep a form per length of name; more than this means somebody is guessing. */
const MAX_FORMS = 256;

/** The packed records of `reply` after `question`; made once and kept with the reply. */
export function packedRecords(reply: Reply, question: Question): PackedRecords {
  const key = reply.zone === undefined ? question.name : question.nameBytes;
  const kept = reply.packed.get(key);
  if (kept !== undefined) return kept;
  const packed = pack(reply, question);
  if (reply.packed.size >= MAX_FORMS) reply.packed.clear();
  reply.packed.set(key, packed);
  return packed;
}

function pack(reply: Reply, question: Question): PackedRecords {
  const packer = new Packer(question.end);
  packer.know(question.name, QUESTION_NAME_AT, reply.zone);
  const ttlAt: number[] = [];
  const starts: number[] = [];
  const sections = [reply.answers, reply.authority, reply.additional] as const;
  for (const records of sections) {
    for (const record of records) {
      starts.push(packer.offset - question.end);
      ttlAt.push(packer.writeRecord(record));
    }
  }
  starts.push(packer.offset - question.end);
  const [answers, authority, additional] = sections.map((records) => records.length);
  return {
    bytes: packer.bytes(),
    ttlAt: Uint32Array.from(ttlAt),
    counts: [answers ?? 0, authority ?? 0, additional ?? 0],
    run: findRun(reply.answers, starts),
  };
}

/** The first stretch of address answers with one owner and one size. */
function findRun(answers: readonly ResourceRecord[], starts: readonly number[]): PackedRecords["run"] {
  const isAddress = (rr: ResourceRecord | undefined) => rr?.type === TYPE.A || rr?.type === TYPE.AAAA;
  const first = answers.findIndex(isAddress);
  if (first < 0) return undefined;
  const size = (starts[first + 1] ?? 0) - (starts[first] ?? 0);
  let count = 0;
  while (isAddress(answers[first + count]) && spacing(starts, first + count) === size) count++;
  return count < 2 ? undefined : { from: starts[first] ?? 0, size, count };
}

function spacing(starts: readonly number[], i: number): number {
  return (starts[i + 1] ?? 0) - (starts[i] ?? 0);
}
