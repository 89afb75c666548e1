import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** A request to go on in another protocol, as a server's `upgrade` event gives it: nothing is answered yet. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent after its request. */
  readonly head: Buffer;
}
