import { isApiFault } from "#kube/api-fault";
import type { Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { NODES, PODS } from "#kube/resources";
import { ticks } from "#life/clock";
import type { ControllerContext } from "../context.ts";
import { isNodeReady } from "../node/health.ts";
import { isFinished } from "../pods.ts";
import { formatTime, parseTime } from "../time.ts";

const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";
const ORPHANED = { reason: "DeletionByPodGC", message: "PodGC: node no longer exists" };
const PERIOD_MS = 20_000;
const MAX_FINISHED = 12_500;
/** A node is not believed gone before it has been so for two looks. */
const QUARANTINE_MS = 40_000;

/** Removes pods nobody will: those on nodes that are gone, those that were deleted before they had a node, and the oldest of very
 *  many finished ones. Ends when aborted. */
export async function runPodCollector(context: ControllerContext): Promise<void> {
  const { clock, signal } = context;
  const missing = new Map<string, number>();
  for await (const _ of ticks(clock, PERIOD_MS, { signal })) {
    const pods = context.informers.pods.list();
    const lost = await onLostNodes(context, pods, missing);
    for (const pod of lost) await remove(context, pod, ORPHANED);
    const unplaced = pods.filter((pod) => isDeleting(pod) && !pod.spec?.nodeName);
    const others = new Set([...unplaced, ...outOfService(context, pods), ...tooManyFinished(pods)]);
    for (const pod of others) if (!lost.includes(pod)) await remove(context, pod);
  }
}

/** Pods that are to go from nodes of which somebody said that they are switched off: no kubelet will ever confirm it. */
function outOfService({ informers }: ControllerContext, pods: readonly Pod[]): readonly Pod[] {
  return pods.filter((pod) => {
    const node = isDeleting(pod) ? informers.nodes.get(pod.spec?.nodeName ?? "") : undefined;
    if (node === undefined || isNodeReady(node)) return false;
    return (node.spec?.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE);
  });
}

/** The finished pods beyond the bound: evicted ones first, then the oldest. */
export function tooManyFinished(pods: readonly Pod[]): readonly Pod[] {
  const finished = pods.filter((pod) => isFinished(pod) && !isDeleting(pod));
  const surplus = finished.length - MAX_FINISHED;
  if (surplus <= 0) return [];
  const evicted = ({ status }: Pod) => Number(status?.reason === "Evicted");
  const created = ({ metadata }: Pod) => parseTime(metadata.creationTimestamp);
  return finished.sort((a, b) => evicted(b) - evicted(a) || created(a) - created(b)).slice(0, surplus);
}

async function onLostNodes(
  context: ControllerContext,
  pods: readonly Pod[],
  missing: Map<string, number>,
): Promise<readonly Pod[]> {
  const { informers, clock } = context;
  const now = clock.now();
  const names = new Set(pods.flatMap(({ spec }) => spec?.nodeName || []));
  for (const name of missing.keys())
    if (!names.has(name) || informers.nodes.get(name) !== undefined) missing.delete(name);
  const lost = new Set<string>();
  for (const name of names) {
    if (informers.nodes.get(name) !== undefined) continue;
    const since = missing.get(name) ?? now;
    missing.set(name, since);
    if (now - since >= QUARANTINE_MS && (await isGone(context, name))) lost.add(name);
  }
  return pods.filter(({ spec }) => lost.has(spec?.nodeName ?? ""));
}

async function isGone({ client }: ControllerContext, name: string): Promise<boolean> {
  try {
    await client.get(NODES, { name });
    return false;
  } catch (error) {
    return isApiFault(error, "NotFound");
  }
}

/** Says that the pod is over, and why if it was cut short, then takes it away without waiting for a kubelet. */
async function remove(
  { client, log, signal, clock }: ControllerContext,
  pod: Pod,
  cause?: { readonly reason: string; readonly message: string },
): Promise<void> {
  const lastTransitionTime = formatTime(clock.now());
  const conditions = cause && [{ type: "DisruptionTarget", status: "True", ...cause, lastTransitionTime }];
  try {
    if (!isFinished(pod))
      await client.patch(
        PODS,
        pod.metadata,
        {
          metadata: { uid: pod.metadata.uid },
          status: { phase: "Failed", ...(conditions ? { conditions } : {}) },
        },
        { type: "strategic", subresource: "status" },
      );
    await client.delete(PODS, pod.metadata, {
      gracePeriodSeconds: 0,
      ...(pod.metadata.uid ? { uid: pod.metadata.uid } : {}),
    });
  } catch (error) {
    if (!signal.aborted && !isApiFault(error, "NotFound", "Conflict"))
      log.warn("a pod was not collected; will try again", { pod: pod.metadata.name, error });
  }
}
