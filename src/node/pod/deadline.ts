import type { Pod } from "#kube/generated/types";

/** How long the pod may still be active, in milliseconds; undefined without a deadline. */
export function overdueMs({ spec }: Pod, startTime: string | undefined, now: number): number | undefined {
  const seconds = spec?.activeDeadlineSeconds;
  if (seconds === undefined || startTime === undefined) return undefined;
  return Date.parse(startTime) + seconds * 1000 - now;
}
