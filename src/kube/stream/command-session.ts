import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { CommandStatus } from "./command-status.ts";
import type { CommandStreams } from "./session.ts";

/** Which streams a client asks for; with a terminal, errors come on stdout. */
export interface CommandWants {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The server's end of one remote command, whatever the protocol below. */
export interface CommandSession {
  readonly streams: CommandStreams;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  readonly closed: Promise<void>;
  /** Tells how the command ended, once all output has left, and closes. */
  end(status: CommandStatus): Promise<void>;
  /** Cuts the connection. */
  destroy(): void;
}

/** Ends the streams and resolves when all that was written has left, or can no longer. */
export async function drainAll(streams: readonly (Writable | undefined)[]): Promise<void> {
  await Promise.all(
    streams.map(async (stream) => {
      if (stream === undefined) return;
      stream.end();
      // A client that left takes its streams along.
      await finished(stream, { readable: false }).catch(() => {});
    }),
  );
}
