import { isApiFault } from "#kube/api-fault";
import type { Job } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { JOBS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { parseTime } from "../time.ts";
import { conditionOf } from "./verdict.ts";

/** Deletes each finished Job, and what it owns, `ttlSecondsAfterFinished` after its end. */
export function runJobExpiry(context: ControllerContext): void {
  const { informers, client, clock } = context;
  const queue = openQueue(context, "ttl-after-finished", {
    workers: 5,
    work: async (key) => {
      const seen = informers.jobs.get(key);
      const waitMs = seen && leftMs(seen, clock.now());
      if (seen === undefined || waitMs === undefined || waitMs > 0) return waitMs;
      // The time to live may just have been raised: the API itself is asked.
      const job = await liveJob(context, seen);
      const leftAfterAll = job && leftMs(job, clock.now());
      if (job === undefined || leftAfterAll === undefined || leftAfterAll > 0) return leftAfterAll;
      const { uid } = job.metadata;
      await client.delete(JOBS, job.metadata, { propagationPolicy: "Foreground", ...(uid ? { uid } : {}) });
      return undefined;
    },
  });
  informers.jobs.subscribe((change) => {
    if (change.type !== "removed" && leftMs(change.object, clock.now()) !== undefined) queue.add(change.key);
  });
}

/** How long the Job may still stay; undefined when it may for good, is not over, or goes anyway. */
function leftMs(job: Job, now: number): number | undefined {
  const seconds = job.spec?.ttlSecondsAfterFinished;
  if (seconds === undefined || isDeleting(job)) return undefined;
  const end = ["Complete", "Failed"]
    .map((type) => conditionOf(job, type))
    .find((condition) => condition?.status === "True");
  return end && parseTime(end.lastTransitionTime) + seconds * 1000 - now;
}

async function liveJob({ client }: ControllerContext, seen: Job): Promise<Job | undefined> {
  try {
    const live = await client.get(JOBS, seen.metadata);
    return live.metadata.uid === seen.metadata.uid ? live : undefined;
  } catch (error) {
    if (isApiFault(error, "NotFound")) return undefined;
    throw error;
  }
}
