import type { Clock } from "#life/clock";

/** Resolves with the work or with the signal, whatever comes first. */
export async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => aborted.resolve(), { once: true });
  await Promise.race([work, aborted.promise]);
}

/** Resolves after `ms`, with the news, or with the signal, whatever comes first. */
export async function sleepUnless(
  news: Promise<void>,
  ms: number,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const stop = new AbortController();
  const done = clock.sleep(ms, { signal: AbortSignal.any([signal, stop.signal]) }).catch(() => undefined);
  await Promise.race([done, news]);
  stop.abort();
}
