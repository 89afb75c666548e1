import { formatInZone, Zone } from "#kube/cron/zone";
import type { CronJob, Job } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { CRON_JOBS } from "#kube/resources";

const SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** The Job of one start. Its name says which: whoever makes it a second time finds it there. */
export function draftJob(cronJob: CronJob, at: number): Job {
  const template = cronJob.spec?.jobTemplate;
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      name: jobName(cronJob, at),
      namespace: cronJob.metadata.namespace,
      ...(labels ? { labels } : {}),
      annotations: {
        ...annotations,
        [SCHEDULED_AT]: formatInZone(new Zone(cronJob.spec?.timeZone ?? "UTC"), at),
      },
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [controllerRef(CRON_JOBS, cronJob)],
    },
    spec: template?.spec,
  };
}

/** By the minute, as kube-controller-manager names them. */
export function jobName({ metadata }: CronJob, at: number): string {
  return `${metadata.name}-${Math.floor(at / 60_000)}`;
}
