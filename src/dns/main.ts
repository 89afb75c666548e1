import type { Logger } from "#telemetry/log";

export interface CorednsOptions {
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** Runs the DNS server until `signal` aborts; resolves with the exit code. */
export async function runCoredns(_argv: readonly string[], { signal }: CorednsOptions): Promise<number> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return 0;
}
