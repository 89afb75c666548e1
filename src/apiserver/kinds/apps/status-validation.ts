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
  readonly observedGeneration?: number | undefined;
  readonly collisionCount?: number | undefined;
}

const PARTS_OF_ALL = [
  "fullyLabeledReplicas",
  "updatedReplicas",
  "currentReplicas",
  "readyReplicas",
  "availableReplicas",
] as const;

/** Counts in a workload's status: none below zero, none above all replicas, and no more available than ready. */
export function validateReplicaCounts(status: ReplicaCounts | undefined): readonly FieldError[] {
  if (status === undefined) return [];
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const errors = [
    ...nonNegative("status.replicas", status.replicas),
    ...PARTS_OF_ALL.flatMap((field) => nonNegative(`status.${field}`, status[field])),
    ...nonNegative("status.observedGeneration", status.observedGeneration),
    ...nonNegative("status.collisionCount", status.collisionCount),
    ...PARTS_OF_ALL.filter((field) => (status[field] ?? 0) > replicas).map((field) =>
      invalid(`status.${field}`, status[field], "cannot be greater than status.replicas"),
    ),
  ];
  if (availableReplicas > readyReplicas)
    errors.push(
      invalid("status.availableReplicas", availableReplicas, "cannot be greater than readyReplicas"),
    );
  return errors;
}
