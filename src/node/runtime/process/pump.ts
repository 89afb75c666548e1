import type { LogStream } from "../../logs/line.ts";

export type OutputListener = (stream: LogStream, piece: Buffer) => void;

/** Copies what a container writes into its log, until it has ended and nobody else writes, or until disposed. */
export interface Pump extends Disposable {
  /** Resolves once all was read to the end, or reading was stopped. */
  readonly drained: Promise<void>;
  /** Looks whether something waits; for when nobody told. */
  wake(): void;
  /** Hears what is written to the log from now on. @returns the way to stop hearing */
  subscribe(listener: OutputListener): () => void;
  /** Goes on in a new file at the log's path. */
  reopen(): void;
}
