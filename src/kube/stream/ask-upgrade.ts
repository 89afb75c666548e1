import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import type { Duplex } from "node:stream";
import { asError } from "#fault/fault";

export interface UpgradeRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal;
}

/** What a server says to a request to go on in another protocol. */
export type UpgradeAnswer =
  | {
      readonly kind: "agreed";
      readonly answer: IncomingMessage;
      readonly socket: Duplex;
      readonly head: Buffer;
    }
  | { readonly kind: "refused"; readonly answer: IncomingMessage };

/** Asks over a connection that stands. The signal ends the asking, not what comes of it. @throws {Error} when there is no answer */
export async function askUpgrade(
  socket: Duplex,
  { method, path, headers, signal }: UpgradeRequest,
): Promise<UpgradeAnswer> {
  return await new Promise((resolve, reject) => {
    // Node dials by itself when it is given an agent, even none at all.
    const asking = request({ method, path, headers, createConnection: () => socket });
    const stop = () => asking.destroy(asError(signal.reason));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const done = (settle: () => void) => {
      signal.removeEventListener("abort", stop);
      settle();
    };
    asking.once("upgrade", (answer, agreed, head) =>
      done(() => resolve({ kind: "agreed", answer, socket: agreed, head })),
    );
    asking.once("response", (answer) => done(() => resolve({ kind: "refused", answer })));
    asking.once("error", (error) => done(() => reject(error)));
    asking.end();
  });
}
