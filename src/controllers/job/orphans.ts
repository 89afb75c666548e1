import { isApiFault } from "#kube/api-fault";
import type { Pod } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { controllerOf } from "#kube/owner";
import { JOBS } from "#kube/resources";
import { controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { isTracked } from "./pods.ts";
import { releasePod } from "./release.ts";

/** Takes the tracking finalizer off pods whose Job is no more: nobody will count them, and they could never go. */
export function runJobOrphans(context: ControllerContext): void {
  const { jobs, pods } = context.informers;
  const queue = openQueue(context, "job-orphans", {
    workers: 1,
    work: async (key) => {
      const pod = pods.get(key);
      if (pod !== undefined && isTracked(pod) && (await isOrphan(context, pod)))
        await releasePod(context.client, pod);
      return undefined;
    },
  });
  const notice = (pod: Pod) => {
    if (isTracked(pod) && mayBeOrphan(context, pod)) queue.add(keyOf(pod));
  };
  pods.subscribe((change) => {
    if (change.type !== "removed") notice(change.object);
  });
  jobs.subscribe((change) => {
    if (change.type === "removed")
      for (const pod of pods.byIndex(BY_CONTROLLER, change.before.metadata.uid ?? "")) notice(pod);
  });
}

/** As far as our copy knows. */
function mayBeOrphan({ informers }: ControllerContext, pod: Pod): boolean {
  const owner = controllerOf(pod);
  if (owner === undefined) return true;
  const key = controllerKey(pod, JOBS);
  return key !== undefined && informers.jobs.get(key)?.metadata.uid !== owner.uid;
}

/** Our copy of the Jobs may be behind that of the pods: the API itself is asked. */
async function isOrphan(context: ControllerContext, pod: Pod): Promise<boolean> {
  const owner = controllerOf(pod);
  if (!mayBeOrphan(context, pod)) return false;
  if (owner === undefined) return true;
  try {
    const live = await context.client.get(JOBS, { namespace: pod.metadata.namespace, name: owner.name });
    return live.metadata.uid !== owner.uid;
  } catch (error) {
    if (isApiFault(error, "NotFound")) return true;
    throw error;
  }
}
