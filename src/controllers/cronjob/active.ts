import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { EventRecorder } from "#kube/event-recorder";
import type { CronJob, CronJobStatus, Job, ObjectReference } from "#kube/generated/types";
import { JOBS } from "#kube/resources";
import { conditionOf, isFinished } from "../job/verdict.ts";
import { parseTime } from "../time.ts";

/** Brings the list of running Jobs in step with the Jobs there are, and says what it found. */
export async function settleActive(
  cronJob: CronJob,
  jobs: readonly Job[],
  { client, events }: { readonly client: KubeClient; readonly events: EventRecorder },
): Promise<CronJobStatus> {
  const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
  const active: ObjectReference[] = [];
  for (const ref of cronJob.status?.active ?? []) {
    const job = byUid.get(ref.uid);
    if (job !== undefined && isFinished(job)) {
      const message = `Saw completed job: ${job.metadata.name}, condition: ${endOf(job)}`;
      events.record(cronJob, { type: "Normal", reason: "SawCompletedJob", message });
    } else if (job !== undefined || (await isThere(client, ref))) active.push(ref);
    else {
      const message = `Active job went missing: ${ref.name ?? ""}`;
      events.record(cronJob, { type: "Normal", reason: "MissingJob", message });
    }
  }
  const known = new Set((cronJob.status?.active ?? []).map(({ uid }) => uid));
  for (const job of jobs) {
    if (known.has(job.metadata.uid) || isFinished(job)) continue;
    const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
    events.record(cronJob, { type: "Warning", reason: "UnexpectedJob", message });
  }
  return { ...cronJob.status, active, ...lastSuccess(cronJob, jobs) };
}

/** `Complete` or `Failed`. */
export function endOf(job: Job): string {
  return conditionOf(job, "Complete")?.status === "True" ? "Complete" : "Failed";
}

function lastSuccess(cronJob: CronJob, jobs: readonly Job[]): Pick<CronJobStatus, "lastSuccessfulTime"> {
  const times = jobs
    .filter((job) => isFinished(job) && endOf(job) === "Complete")
    .map(({ status }) => status?.completionTime);
  const latest = [cronJob.status?.lastSuccessfulTime, ...times].reduce((a, b) =>
    parseTime(b) > parseTime(a) ? b : a,
  );
  return latest === undefined ? {} : { lastSuccessfulTime: latest };
}

/** Our copy may be behind: the API itself is asked before a Job is given up. */
async function isThere(client: KubeClient, { namespace, name = "" }: ObjectReference): Promise<boolean> {
  try {
    await client.get(JOBS, { namespace, name });
    return true;
  } catch (error) {
    if (isApiFault(error, "NotFound")) return false;
    throw error;
  }
}
