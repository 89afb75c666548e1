import { isFault } from "#fault/fault";

const RETRY_MS = 10_000;
const RETRY: Readonly<Record<string, number>> = {
  NetworkNotReady: 1_000,
  FailedMount: 2_000,
  RuntimeDown: 1_000,
  PluginMissing: 2_000,
  TryAgainLater: 2_000,
};

/** How long after a step that failed the next is due. */
export function retryMs(thrown: unknown): number {
  return (isFault(thrown) && RETRY[thrown.code]) || RETRY_MS;
}
