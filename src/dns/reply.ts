import type { Name } from "#wire/dns/name";
import { RCODE } from "#wire/dns/numbers";
import type { ResourceRecord } from "#wire/dns/record";
import type { PackedRecords } from "./packed-records.ts";

export interface Sections {
  readonly answers?: readonly ResourceRecord[];
  readonly authority?: readonly ResourceRecord[];
  readonly additional?: readonly ResourceRecord[];
}

export interface ReplyOptions extends Sections {
  readonly rcode?: number;
  readonly isAuthoritative?: boolean;
  readonly recursionAvailable?: boolean;
  readonly isAuthentic?: boolean;
  /** TC as an upstream set it. */
  readonly isTruncated?: boolean;
  /** When set, the reply fits every question below this zone (an NXDOMAIN with the zone's SOA, say), so its packed form
   *  may only lean on the zone's name. Otherwise it answers one name. */
  readonly zone?: Name | undefined;
  /** Always current and as cheap to make as to look up: keeping it in a cache could only make it stale. */
  readonly isLive?: boolean;
  /** Nothing was found and nothing was decided: the server writes the code and no more. */
  readonly isBare?: boolean;
}

const NONE: readonly ResourceRecord[] = [];

/** What is answered, apart from the question. Immutable and shared between questions; it keeps its packed form. */
export class Reply {
  readonly rcode: number;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly isAuthoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly isAuthentic: boolean;
  readonly isTruncated: boolean;
  readonly zone: Name | undefined;
  readonly isLive: boolean;
  readonly isBare: boolean;
  /** Filled by `packedRecords`: by name where the reply answers one, by length of the name where it answers a zone. */
  readonly packed = new Map<Name | number, PackedRecords>();

  constructor(options: ReplyOptions) {
    this.rcode = options.rcode ?? RCODE.NOERROR;
    this.answers = options.answers ?? NONE;
    this.authority = options.authority ?? NONE;
    this.additional = options.additional ?? NONE;
    this.isAuthoritative = options.isAuthoritative ?? false;
    this.recursionAvailable = options.recursionAvailable ?? false;
    this.isAuthentic = options.isAuthentic ?? false;
    this.isTruncated = options.isTruncated ?? false;
    this.zone = options.zone;
    this.isLive = options.isLive ?? false;
    this.isBare = options.isBare ?? false;
  }
}

/** A reply on its way up the chain: the shared part, and what links above its maker changed about it. */
export interface Sent {
  readonly reply: Reply;
  /** One time to live for every record, in seconds; as in the records when undefined. */
  readonly ttl?: number;
  /** Whether the addresses among the answers are dealt in a new order. */
  readonly isShuffled?: boolean;
  /** Who answered, for metrics: `kubernetes`, `cache`. */
  readonly by: string;
  /** Why there is no proper answer; `errors` logs it. */
  readonly failure?: string;
}

/** No link knew: written as a bare code. */
export function bare(rcode: number, by = "", failure?: string): Sent {
  return { reply: new Reply({ rcode, isBare: true }), by, ...(failure === undefined ? {} : { failure }) };
}
