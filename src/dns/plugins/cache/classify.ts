import { RCODE, TYPE } from "#wire/dns/numbers";
import type { ResourceRecord } from "#wire/dns/record";
import type { Reply } from "../../reply.ts";

/** What kind of answer a reply is to a cache; undefined: not to be kept. */
export type Kind = "success" | "denial" | "failure" | undefined;

const has = (records: readonly ResourceRecord[], type: number): boolean =>
  records.some((record) => record.type === type);

/** Decides by the question's type and the shape of the reply. @see RFC 2308 section 2 */
export function classify(reply: Reply, type: number): Kind {
  if (reply.isTruncated || type === TYPE.AXFR || type === TYPE.IXFR) return undefined;
  const hasSoa = has(reply.authority, TYPE.SOA);
  switch (reply.rcode) {
    case RCODE.NOERROR:
      if (reply.answers.length === 0) return hasSoa ? "denial" : undefined;
      if (type === TYPE.ANY || has(reply.answers, type)) return "success";
      return hasSoa ? "denial" : undefined;
    case RCODE.NXDOMAIN:
      return hasSoa && reply.answers.length === 0 ? "denial" : undefined;
    case RCODE.SERVFAIL:
    case RCODE.NOTIMP:
      return "failure";
    default:
      return undefined;
  }
}

/** The smallest TTL among all records, in seconds; undefined without any. */
export function smallestTtl({ answers, authority, additional }: Reply): number | undefined {
  let smallest: number | undefined;
  for (const records of [answers, authority, additional]) {
    for (const { ttl } of records) if (smallest === undefined || ttl < smallest) smallest = ttl;
  }
  return smallest;
}
