import type { Pod } from "#kube/generated/types";
import { finishedAt } from "./pods.ts";

const FIRST_MS = 10_000;
const LONGEST_MS = 600_000;

/** How often pods failed in a row, and when the last one did. */
export interface Streak {
  readonly failures: number;
  readonly lastAt: number;
}

export const NO_STREAK: Streak = { failures: 0, lastAt: 0 };

/** The streak after these pods ended as well: a success ends it, failures after it begin another. */
export function continueStreak(
  streak: Streak,
  { succeeded, failed }: { readonly succeeded: readonly Pod[]; readonly failed: readonly Pod[] },
): Streak {
  const lastSuccess = Math.max(-1, ...succeeded.map(finishedAt));
  const ends = failed.map(finishedAt).filter((at) => at > lastSuccess);
  if (succeeded.length > 0)
    return ends.length === 0 ? NO_STREAK : { failures: ends.length, lastAt: Math.max(...ends) };
  if (ends.length === 0) return streak;
  return { failures: streak.failures + ends.length, lastAt: Math.max(streak.lastAt, ...ends) };
}

/** How long no new pod may come: 10 s after the first failure, twice as long each time, ten minutes at most. */
export function patienceMs({ failures, lastAt }: Streak, now: number): number {
  if (failures === 0) return 0;
  const waitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 30));
  return Math.max(0, lastAt + waitMs - now);
}
