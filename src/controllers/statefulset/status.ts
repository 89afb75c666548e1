import type { StatefulSetStatus } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { isAvailable } from "../pods.ts";
import { revisionOf } from "./identity.ts";
import { isRunningAndReady, placesOf, type SetSnapshot } from "./plan.ts";

const COUNTERS = [
  "observedGeneration",
  "replicas",
  "readyReplicas",
  "availableReplicas",
  "currentReplicas",
  "updatedReplicas",
  "collisionCount",
] as const;

/** The status that says what is; the very same object when the stored one already says it. */
export function desiredStatus(snapshot: SetSnapshot): StatefulSetStatus {
  const { set, current, update, now } = snapshot;
  const { replicas, condemned } = placesOf(snapshot);
  const pods = [...replicas, ...condemned].flatMap(({ pod }) => pod ?? []);
  const ready = pods.filter(isRunningAndReady);
  const staying = pods.filter((pod) => !isDeleting(pod));
  const withRevision = (name: string) => staying.filter((pod) => revisionOf(pod) === name).length;
  const counted: StatefulSetStatus = {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec?.minReadySeconds, now)).length,
    currentReplicas: withRevision(current.metadata.name),
    updatedReplicas: withRevision(update.metadata.name),
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  };
  const status = isRolledOut(snapshot, counted)
    ? { ...counted, currentReplicas: counted.updatedReplicas, currentRevision: counted.updateRevision }
    : counted;
  return isSameStatus(set.status, status) ? (set.status ?? status) : status;
}

/** The update is over: from now on it is the current revision. */
function isRolledOut(
  { set }: SetSnapshot,
  { replicas, readyReplicas, updatedReplicas }: StatefulSetStatus,
): boolean {
  return (
    set.spec?.updateStrategy?.type !== "OnDelete" &&
    updatedReplicas === (set.spec?.replicas ?? 1) &&
    updatedReplicas === replicas &&
    readyReplicas === replicas
  );
}

function isSameStatus(stored: StatefulSetStatus | undefined, status: StatefulSetStatus): boolean {
  return (
    stored !== undefined &&
    COUNTERS.every((name) => (stored[name] ?? 0) === (status[name] ?? 0)) &&
    stored.currentRevision === status.currentRevision &&
    stored.updateRevision === status.updateRevision
  );
}
