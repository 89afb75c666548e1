import type { DaemonSetStatus } from "#kube/generated/types";
import { isAvailable, isReady } from "../pods.ts";
import { REVISION_LABEL } from "./eligibility.ts";
import { type DaemonSnapshot, placesOf } from "./plan.ts";

const COUNTERS = [
  "desiredNumberScheduled",
  "currentNumberScheduled",
  "numberMisscheduled",
  "numberReady",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable",
  "collisionCount",
  "observedGeneration",
] as const;

/** The status that says what is; the very same object when the stored one already says it. */
export function desiredStatus(snapshot: DaemonSnapshot, isSettled: boolean): DaemonSetStatus {
  const { daemonSet, hash, now } = snapshot;
  const stored = daemonSet.status;
  const { places } = placesOf(snapshot);
  const wanted = places.filter(({ eligibility }) => eligibility.shouldRun);
  const first = wanted.flatMap(({ pods }) => pods[0] ?? []);
  const available = first.filter((pod) => isAvailable(pod, daemonSet.spec?.minReadySeconds, now)).length;
  const misplaced = places.filter(({ eligibility, pods }) => !eligibility.shouldRun && pods.length > 0);
  const status: DaemonSetStatus = {
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: first.length,
    numberMisscheduled: misplaced.length,
    numberReady: first.filter(isReady).length,
    updatedNumberScheduled: wanted.filter(({ pods }) =>
      pods.some(({ metadata }) => metadata.labels?.[REVISION_LABEL] === hash),
    ).length,
    numberAvailable: available,
    numberUnavailable: wanted.length - available,
    ...(stored?.collisionCount === undefined ? {} : { collisionCount: stored.collisionCount }),
    ...(stored?.conditions === undefined ? {} : { conditions: stored.conditions }),
    observedGeneration: isSettled ? daemonSet.metadata.generation : stored?.observedGeneration,
  };
  const isSame =
    stored !== undefined && COUNTERS.every((name) => (stored[name] ?? 0) === (status[name] ?? 0));
  return isSame ? stored : status;
}
