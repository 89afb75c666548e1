import { isDeepStrictEqual } from "node:util";
import type { Deployment, DeploymentCondition, DeploymentStatus } from "#kube/generated/types";
import { formatTime, parseTime } from "../time.ts";
import {
  availableOf,
  everyone,
  type Family,
  fencesOf,
  isComplete,
  sizeOf,
  sum,
  UNLIMITED,
  wantedOf,
} from "./model.ts";

type Condition = Pick<DeploymentCondition, "type" | "status" | "reason" | "message">;

/** What was found out about the new ReplicaSet in this round. */
export type Finding = Pick<Condition, "status" | "reason" | "message">;

/** The status that says what is; the very same object when the stored one already says it. */
export function desiredStatus(
  family: Family,
  options: {
    readonly now: number;
    readonly finding?: Finding | undefined;
    readonly collisionCount?: number | undefined;
    /** Whether this round could move the roll-out; progress is judged only then. */
    readonly isRollOut: boolean;
  },
): DeploymentStatus {
  const { deployment } = family;
  const stored = deployment.status ?? {};
  const counted = countReplicas(family, options.collisionCount);
  const conditions = new Conditions(stored.conditions ?? [], options.now);
  conditions.set(availability(deployment, counted));
  if (options.finding !== undefined && hasDeadline(deployment))
    conditions.set({ type: "Progressing", ...options.finding });
  if (!hasDeadline(deployment)) conditions.remove("Progressing");
  else if (options.isRollOut) setProgress(conditions, family, counted, options.now);
  setFailure(conditions, family);
  const status = { ...counted, conditions: conditions.list };
  return isSameStatus(stored, status) ? stored : status;
}

/** How long until the deadline of a roll-out that stands still; undefined when there is none to watch. */
export function deadlineMs(
  deployment: Deployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  if (!hasDeadline(deployment) || deployment.spec?.paused || isComplete({ ...deployment, status }))
    return undefined;
  const progressing = status.conditions?.find(({ type }) => type === "Progressing");
  if (progressing === undefined || progressing.reason === "ProgressDeadlineExceeded") return undefined;
  const seconds = deployment.spec?.progressDeadlineSeconds ?? 600;
  return Math.max(0, parseTime(progressing.lastUpdateTime) + seconds * 1000 - now + 1000);
}

/** Whether a Deployment notes its progress at all. */
export function hasDeadline(deployment: Deployment): boolean {
  return (deployment.spec?.progressDeadlineSeconds ?? UNLIMITED) !== UNLIMITED;
}

/** The note that a roll-out stopped for, or goes on after, a pause; undefined when there is nothing new to say. */
export function pauseFinding(deployment: Deployment): Finding | undefined {
  if (!hasDeadline(deployment)) return undefined;
  const progressing = deployment.status?.conditions?.find(({ type }) => type === "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") return undefined;
  const isNoted = progressing?.reason === "DeploymentPaused";
  if (deployment.spec?.paused && !isNoted)
    return { status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" };
  if (!deployment.spec?.paused && isNoted)
    return { status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" };
  return undefined;
}

function countReplicas(family: Family, collisionCount: number | undefined): DeploymentStatus {
  const { deployment, newest } = family;
  const all = everyone(family);
  const available = sum(all, availableOf);
  const collisions = collisionCount ?? deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, (set) => set.status?.replicas ?? 0),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: sum(all, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, sizeOf) - available),
    terminatingReplicas: sum(all, (set) => set.status?.terminatingReplicas ?? 0),
    ...(collisions === undefined ? {} : { collisionCount: collisions }),
  };
}

function availability(deployment: Deployment, counted: DeploymentStatus): Condition {
  const floor = wantedOf(deployment) - fencesOf(deployment).unavailable;
  return (counted.availableReplicas ?? 0) >= floor
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

function setProgress(conditions: Conditions, family: Family, counted: DeploymentStatus, now: number): void {
  const { deployment, newest } = family;
  const stored = deployment.status ?? {};
  const current = conditions.find("Progressing");
  const isDone = (counted.replicas ?? 0) === (counted.updatedReplicas ?? 0);
  if (isDone && current?.reason === "NewReplicaSetAvailable") return;
  const subject =
    newest === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${newest.metadata.name}"`;
  const note = (status: string, reason: string, text: string, touch = false) =>
    conditions.set({ type: "Progressing", status, reason, message: `${subject} ${text}` }, touch);
  if (isComplete({ ...deployment, status: counted }))
    note("True", "NewReplicaSetAvailable", "has successfully progressed.");
  else if (hasProgressed(stored, counted)) note("True", "ReplicaSetUpdated", "is progressing.", true);
  else if (isOverdue(deployment, current, now))
    note("False", "ProgressDeadlineExceeded", "has timed out progressing.");
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isOverdue(deployment: Deployment, current: DeploymentCondition | undefined, now: number): boolean {
  if (current === undefined || deployment.spec?.paused) return false;
  if (current.reason === "NewReplicaSetAvailable") return false;
  if (current.reason === "ProgressDeadlineExceeded") return true;
  const seconds = deployment.spec?.progressDeadlineSeconds ?? 600;
  return parseTime(current.lastUpdateTime) + seconds * 1000 < now;
}

/** A refusal that a ReplicaSet ran into is the Deployment's too: the new one's first. */
function setFailure(conditions: Conditions, { newest, old }: Family): void {
  const failing = [...(newest ? [newest] : []), ...old]
    .flatMap(({ status }) => status?.conditions ?? [])
    .find(({ type }) => type === "ReplicaFailure");
  if (failing === undefined) conditions.remove("ReplicaFailure");
  else {
    const { status, reason, message } = failing;
    conditions.set({ type: "ReplicaFailure", status, reason, message });
  }
}

/** Conditions whose times move only when they should. */
class Conditions {
  list: readonly DeploymentCondition[];
  readonly #now: string;

  constructor(list: readonly DeploymentCondition[], now: number) {
    this.list = list;
    this.#now = formatTime(now);
  }

  find(type: string): DeploymentCondition | undefined {
    return this.list.find((condition) => condition.type === type);
  }

  /** Equal status and reason change nothing, unless `touch` renews the update time. */
  set(condition: Condition, touch = false): void {
    const old = this.find(condition.type);
    if (!touch && old?.status === condition.status && old.reason === condition.reason) return;
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : this.#now;
    const next = { ...condition, lastUpdateTime: this.#now, lastTransitionTime };
    this.list = [...this.list.filter(({ type }) => type !== condition.type), next];
  }

  remove(type: string): void {
    if (this.find(type)) this.list = this.list.filter((condition) => condition.type !== type);
  }
}

const COUNTERS = [
  "observedGeneration",
  "replicas",
  "updatedReplicas",
  "readyReplicas",
  "availableReplicas",
  "unavailableReplicas",
  "terminatingReplicas",
  "collisionCount",
] as const;

/** Absent counters are zero; the order of conditions does not count. */
function isSameStatus(a: DeploymentStatus, b: DeploymentStatus): boolean {
  const sorted = (status: DeploymentStatus) =>
    [...(status.conditions ?? [])].sort((x, y) => (x.type < y.type ? -1 : 1));
  return (
    COUNTERS.every((name) => (a[name] ?? 0) === (b[name] ?? 0)) && isDeepStrictEqual(sorted(a), sorted(b))
  );
}
