import { isApiFault } from "#kube/api-fault";
import type { Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { PODS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { isFinished } from "../pods.ts";
import { formatTime, parseTime } from "../time.ts";

const STALE_AFTER_MS = 120_000;
/** The node itself ends a pod, and may take any time over it. */
const BY_NODE_ITSELF = "TerminationByKubelet";

/** Takes back what pods say of their coming end when two minutes later nothing has ended them. */
export function runStaleConditions(context: ControllerContext): void {
  const { pods } = context.informers;
  const queue = openQueue(context, "stale-disruption", { workers: 1, work: (key) => sync(context, key) });
  pods.subscribe((change) => {
    if (change.type !== "removed" && staleInMs(change.object, context.clock.now()) !== undefined)
      queue.add(change.key);
  });
}

/** Milliseconds until the pod's DisruptionTarget condition is stale; undefined when it never will be. */
export function staleInMs(pod: Pod, now: number): number | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  if (condition?.status !== "True" || condition.reason === BY_NODE_ITSELF) return undefined;
  if (isDeleting(pod) || isFinished(pod)) return undefined;
  return Math.max(0, parseTime(condition.lastTransitionTime) + STALE_AFTER_MS - now);
}

async function sync(
  { informers, client, clock }: ControllerContext,
  key: string,
): Promise<number | undefined> {
  const pod = informers.pods.get(key);
  const leftMs = pod && staleInMs(pod, clock.now());
  if (pod === undefined || leftMs === undefined) return undefined;
  if (leftMs > 0) return leftMs;
  const condition = {
    type: "DisruptionTarget",
    status: "False",
    lastTransitionTime: formatTime(clock.now()),
  };
  const { uid, resourceVersion } = pod.metadata;
  const cleared = { ...condition, reason: null, message: null };
  const patch = { metadata: { uid, resourceVersion }, status: { conditions: [cleared] } };
  try {
    await client.patch(PODS, pod.metadata, patch, { type: "strategic", subresource: "status" });
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
  }
  return undefined;
}
