import { asError } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Pod } from "#kube/generated/types";
import { PODS } from "#kube/resources";
import { isTracked, TRACKING, uidOfPod } from "./pods.ts";

/** Takes the tracking finalizer off a pod; one that is gone needs nothing. */
export async function releasePod(client: KubeClient, pod: Pod): Promise<Pod | undefined> {
  if (!isTracked(pod)) return undefined;
  const { uid } = pod.metadata;
  const patch = { metadata: { "$deleteFromPrimitiveList/finalizers": [TRACKING], ...(uid ? { uid } : {}) } };
  try {
    return await client.patch(PODS, pod.metadata, patch, { type: "strategic" });
  } catch (error) {
    if (isApiFault(error, "NotFound")) return undefined;
    throw error;
  }
}

/** Takes the tracking finalizer off each pod; says which ones have lost it, and the first thing that went wrong. */
export async function releasePods(
  client: KubeClient,
  pods: readonly Pod[],
  onReleased: (pod: Pod) => void,
): Promise<{ readonly released: ReadonlySet<string>; readonly error?: Error }> {
  const released = new Set<string>();
  const results = await Promise.allSettled(
    pods.map(async (pod) => {
      const stored = await releasePod(client, pod);
      if (stored !== undefined) onReleased(stored);
      released.add(uidOfPod(pod));
    }),
  );
  const refused = results.find((result) => result.status === "rejected");
  return { released, ...(refused === undefined ? {} : { error: asError(refused.reason) }) };
}
