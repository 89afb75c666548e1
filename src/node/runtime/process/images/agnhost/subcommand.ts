import type { ImageContext } from "../preamble.ts";
import type { Flag, Flags } from "./flags.ts";

export interface SubcommandInput extends ImageContext {
  readonly flags: Flags;
  readonly args: readonly string[];
}

/** One of the programs in the test image; resolves with the exit code. */
export interface Subcommand {
  readonly summary: string;
  /** The arguments after the flags, for the usage line. */
  readonly usage?: string;
  readonly flags: readonly Flag[];
  /** Flags belong to the program itself: nothing is parsed. */
  readonly isRaw?: boolean;
  run(input: SubcommandInput): Promise<number>;
}

/** Writes one dated line to stderr, in the shape the upstream image logs. */
export function say(text: string): void {
  const now = new Date().toISOString();
  process.stderr.write(`${now.slice(0, 10).replaceAll("-", "/")} ${now.slice(11, 19)} ${text}\n`);
}
