import { isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { PersistentVolumeClaim, Pod, Volume } from "#kube/generated/types";
import { controllerRef, isControlledBy, isDeleting } from "#kube/owner";
import { PERSISTENT_VOLUME_CLAIMS, PODS } from "#kube/resources";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { isFinished } from "../pods.ts";

/** Makes the claims that pods bring along themselves; they go with the pod, which owns them. */
export function runEphemeralClaims(context: ControllerContext): void {
  const { pods, claims } = context.informers;
  const events = recorderFor(context, "ephemeral_volume");
  const queue = openQueue(context, "ephemeral-volume", {
    workers: 4,
    work: (key) => sync(context, events, pods.get(key)),
  });
  pods.subscribe((change) => {
    if (change.type !== "removed" && templatesOf(change.object).length > 0) queue.add(change.key);
  });
  claims.subscribe((change) => {
    if (change.type !== "removed") return;
    const owner = change.before.metadata.ownerReferences?.find(
      ({ controller, kind }) => controller && kind === PODS.kind,
    );
    if (owner !== undefined) queue.add(`${change.before.metadata.namespace}/${owner.name}`);
  });
}

async function sync(
  context: ControllerContext,
  events: EventRecorder,
  pod: Pod | undefined,
): Promise<undefined> {
  if (pod === undefined || isDeleting(pod) || isFinished(pod)) return;
  for (const volume of templatesOf(pod)) await ensure(context, events, pod, volume);
}

async function ensure(
  { client, informers }: ControllerContext,
  events: EventRecorder,
  pod: Pod,
  volume: Volume,
): Promise<void> {
  const wanted = claimOf(pod, volume);
  const { namespace = "", name } = wanted.metadata;
  const standing = informers.claims.get(`${namespace}/${name}`);
  if (standing !== undefined && isControlledBy(standing, pod)) return;
  try {
    if (standing !== undefined)
      throw new Error(
        `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`,
      );
    await client.create(PERSISTENT_VOLUME_CLAIMS, wanted);
  } catch (error) {
    if (!isApiFault(error, "AlreadyExists")) {
      const message = `ephemeral volume ${volume.name}: ${wordsOf(error)}`;
      events.record(pod, { type: "Warning", reason: "FailedToCreateEphemeralClaim", message });
    }
    throw error;
  }
}

function claimOf(pod: Pod, { name, ephemeral }: Volume): PersistentVolumeClaim {
  const { metadata, spec } = ephemeral?.volumeClaimTemplate ?? {};
  return {
    metadata: {
      name: `${pod.metadata.name}-${name}`,
      namespace: pod.metadata.namespace,
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ownerReferences: [controllerRef(PODS, pod)],
    },
    ...(spec ? { spec } : {}),
  };
}

function templatesOf({ spec }: Pod): readonly Volume[] {
  return (spec?.volumes ?? []).filter(({ ephemeral }) => ephemeral?.volumeClaimTemplate !== undefined);
}
