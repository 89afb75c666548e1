import { isApiFault } from "#kube/api-fault";
import type { Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { NODES, PODS } from "#kube/resources";
import { ticks } from "#life/clock";
import type { ControllerContext } from "../context.ts";
import { isFinished } from "../pods.ts";
import { parseTime } from "../time.ts";

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
    const unplaced = pods.filter((pod) => isDeleting(pod) && !pod.spec?.nodeName);
    for (const pod of new Set([...lost, ...unplaced, ...tooManyFinished(pods)])) await remove(context, pod);
  }
}

/** The oldest finished pods beyond the bound. */
export function tooManyFinished(pods: readonly Pod[]): readonly Pod[] {
  const finished = pods.filter((pod) => isFinished(pod) && !isDeleting(pod));
  const surplus = finished.length - MAX_FINISHED;
  if (surplus <= 0) return [];
  const created = ({ metadata }: Pod) => parseTime(metadata.creationTimestamp);
  return finished.sort((a, b) => created(a) - created(b)).slice(0, surplus);
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

async function remove({ client, log, signal }: ControllerContext, pod: Pod): Promise<void> {
  try {
    if (!isFinished(pod))
      await client.patch(
        PODS,
        pod.metadata,
        { metadata: { uid: pod.metadata.uid }, status: { phase: "Failed" } },
        { type: "merge", subresource: "status" },
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
