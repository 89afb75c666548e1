import { type ImageContext, untilAborted } from "../preamble.ts";

/** Runs one subcommand of the test server; resolves with the exit code. */
export async function runAgnhost(_argv: readonly string[], { signal }: ImageContext): Promise<number> {
  await untilAborted(signal);
  return 0;
}
