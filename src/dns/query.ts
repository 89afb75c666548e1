import type { Edns } from "#wire/dns/edns";
import type { Question } from "#wire/dns/query";

/** Where a request came from and over what. */
export interface Peer {
  readonly protocol: "udp" | "tcp";
  readonly address: string;
  readonly port: number;
  /** The address that was asked, where it is known; used in answers about this server itself. */
  readonly localAddress: string;
}

/** One request on its way down the chain. Immutable: a link that asks something else makes another. */
export interface Query {
  /** The whole message, so that its parts can be sent on as they came. */
  readonly message: Buffer;
  readonly id: number;
  /** The second word of the header. */
  readonly flags: number;
  readonly question: Question;
  readonly edns: Edns | undefined;
  readonly peer: Peer;
  /** How many aliases led here, for questions that the chain asks itself. */
  readonly depth?: number;
}
