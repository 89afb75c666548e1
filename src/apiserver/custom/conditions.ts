import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from "#kube/generated/types";
import type { Draft } from "../kinds/kind.ts";
import { formatTime } from "../verbs/metadata.ts";

/** One condition as it is to be; `now` in milliseconds. */
export interface NextCondition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly now: number;
}

export function conditionOf(
  { status }: CustomResourceDefinition,
  type: string,
): CustomResourceDefinitionCondition | undefined {
  return status?.conditions?.find((each) => each.type === type);
}

export function isTrue(definition: CustomResourceDefinition, type: string): boolean {
  return conditionOf(definition, type)?.status === "True";
}

/** Sets a condition of a draft; its time moves only with its status. */
export function setCondition(draft: Draft, { now, ...next }: NextCondition): void {
  draft.status ??= {};
  const conditions: CustomResourceDefinitionCondition[] = [...(draft.status.conditions ?? [])];
  const at = conditions.findIndex(({ type }) => type === next.type);
  const before = conditions[at];
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : formatTime(now);
  const made = { lastTransitionTime, ...next };
  if (at < 0) conditions.push(made);
  else conditions[at] = made;
  draft.status.conditions = conditions;
}
