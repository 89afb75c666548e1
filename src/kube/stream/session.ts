import type { Readable, Writable } from "node:stream";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The streams of one remote command; those the client did not ask for are absent. */
export interface CommandStreams {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Ends when the client is gone. */
  readonly resizes: AsyncIterable<TerminalSize>;
}

/** How a remote command ended: by itself with a code, or because it could not be run. */
export type CommandEnd = { readonly code: number } | { readonly error: string };
