import { invalid } from "../field/error.ts";
import { nonNegative } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";

interface ReplicaCounts {
  readonly replicas?: number | undefined;
  readonly fullyLabeledReplicas?: number | undefined;
  readonly readyReplicas?: number | undefined;
  readonly availableReplicas?: number | undefined;
  readonly updatedReplicas?: number | undefined;
  readonly currentReplicas?: number | undefined;
  readonly unavailableReplicas?: number | undefined;
  readonly terminatingReplicas?: number | undefined;
  readonly observedGeneration?: number | undefined;
  readonly collisionCount?: number | undefined;
}

/** What a kind counts: the pods of `parts` are some of all its replicas, those of `others` need not be. */
interface Counted {
  readonly parts: readonly (keyof ReplicaCounts)[];
  readonly others: readonly (keyof ReplicaCounts)[];
  /** How a message about too many available ones calls the ready ones. */
  readonly ready: string;
}

export const REPLICA_SET_COUNTS: Counted = {
  parts: ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
  others: ["observedGeneration", "terminatingReplicas"],
  ready: "readyReplicas",
};

export const DEPLOYMENT_COUNTS: Counted = {
  parts: ["updatedReplicas", "readyReplicas", "availableReplicas"],
  others: ["unavailableReplicas", "terminatingReplicas", "observedGeneration", "collisionCount"],
  ready: "readyReplicas",
};

export const STATEFUL_SET_COUNTS: Counted = {
  parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
  others: ["observedGeneration", "collisionCount"],
  ready: "status.readyReplicas",
};

/** Counts in a workload's status: none below zero, none above all replicas, and no more available than ready. */
export function validateReplicaCounts(
  status: ReplicaCounts | undefined,
  { parts, others, ready }: Counted,
): readonly FieldError[] {
  if (status === undefined) return [];
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const errors = [
    ...(["replicas", ...parts, ...others] as const).flatMap((field) =>
      nonNegative(`status.${field}`, status[field]),
    ),
    ...parts
      .filter((field) => (status[field] ?? 0) > replicas)
      .map((field) =>
        invalid(`status.${field}`, status[field] ?? 0, "cannot be greater than status.replicas"),
      ),
  ];
  if (availableReplicas > readyReplicas)
    errors.push(invalid("status.availableReplicas", availableReplicas, `cannot be greater than ${ready}`));
  return errors;
}
