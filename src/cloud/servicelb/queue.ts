import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { BackoffShape } from "#life/backoff";
import { WorkQueue } from "#life/work-queue";
import type { ServiceLbOptions } from "./watched.ts";

/** What a stale copy leads to; another look is due as soon as the copy has caught up. */
const STALE = ["Conflict", "NotFound", "AlreadyExists"] as const;
const STALE_WAIT_MS = 50;
const LONGEST_WORDS = 1_000;
/** A refusal that stays this often, ten seconds long, is none of a stale copy. */
const MOST_STALE = 20;

/** A queue of Service keys. What only says that a copy was old is looked at again at once; other failures wait as `backoff` says, after
 *  `onFailure` told them. */
export function openServiceQueue(
  { clock, log, signal }: ServiceLbOptions,
  name: string,
  part: {
    readonly workers: number;
    readonly backoff: BackoffShape;
    readonly work: (key: string) => Promise<number | undefined>;
    readonly onFailure?: (key: string, error: Error) => void;
  },
): WorkQueue<string> {
  const stale = new Map<string, number>();
  const work = async (key: string) => {
    try {
      const againMs = await part.work(key);
      stale.delete(key);
      return againMs;
    } catch (error) {
      const times = (stale.get(key) ?? 0) + 1;
      if (!isApiFault(error, ...STALE) || times > MOST_STALE) throw error;
      stale.set(key, times);
      return STALE_WAIT_MS * times;
    }
  };
  return new WorkQueue<string>({
    clock,
    signal,
    workers: part.workers,
    backoff: part.backoff,
    work,
    onFailure: (key, error, waitMs) => {
      stale.delete(key);
      // An API quotes what it refuses, however long that is.
      const words = explain(error).slice(0, LONGEST_WORDS);
      log.warn("will try again", { part: name, service: key, error: words, waitMs });
      part.onFailure?.(key, error);
    },
  });
}
