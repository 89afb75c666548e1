import type { NamespaceCondition } from "#kube/generated/types";
import { formatTime } from "../time.ts";

/** What is left in a namespace that is being emptied. */
export interface Leftovers {
  /** Resource as `pods.` or `deployments.apps`, with how many objects of it remain. */
  readonly remaining: ReadonlyMap<string, number>;
  /** Finalizers that hold them, with how many objects carry each. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryError?: string | undefined;
  readonly deletionError?: string | undefined;
  /** How long until it is worth looking again. */
  readonly waitMs?: number;
}

/** The conditions that tell why a namespace is not gone yet; the very same list when nothing changed. */
export function namespaceConditions(
  stored: readonly NamespaceCondition[],
  { remaining, finalizers, discoveryError, deletionError }: Leftovers,
  now: number,
): readonly NamespaceCondition[] {
  const found = [
    row("NamespaceDeletionDiscoveryFailure", discoveryError, "DiscoveryFailed", [
      "ResourcesDiscovered",
      "All resources successfully discovered",
    ]),
    row("NamespaceDeletionGroupVersionParsingFailure", undefined, "GroupVersionParsingFailed", [
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
    ]),
    row("NamespaceDeletionContentFailure", deletionError, "ContentDeletionFailed", [
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ]),
    row("NamespaceContentRemaining", describe(remaining, remainingText), "SomeResourcesRemain", [
      "ContentRemoved",
      "All content successfully removed",
    ]),
    row("NamespaceFinalizersRemaining", describe(finalizers, finalizerText), "SomeFinalizersRemain", [
      "ContentHasNoFinalizers",
      "All content-preserving finalizers finished",
    ]),
  ];
  const next = found.map((condition) => {
    const old = stored.find(({ type }) => type === condition.type);
    const isSame =
      old?.status === condition.status &&
      old.reason === condition.reason &&
      old.message === condition.message;
    if (old && isSame) return old;
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : formatTime(now);
    return { ...condition, lastTransitionTime };
  });
  const others = stored.filter(({ type }) => !next.some((condition) => condition.type === type));
  const all = [...others, ...next];
  return all.length === stored.length && all.every((condition) => stored.includes(condition)) ? stored : all;
}

function row(
  type: string,
  problem: string | undefined,
  badReason: string,
  [reason, message]: readonly [string, string],
): NamespaceCondition {
  return problem === undefined
    ? { type, status: "False", reason, message }
    : { type, status: "True", reason: badReason, message: problem };
}

function describe(
  counts: ReadonlyMap<string, number>,
  text: { readonly intro: string; readonly each: (name: string, count: number) => string },
): string | undefined {
  if (counts.size === 0) return undefined;
  const parts = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text.each(name, count));
  return text.intro + parts.join(", ");
}

const remainingText = {
  intro: "Some resources are remaining: ",
  each: (name: string, count: number) => `${name} has ${count} resource instances`,
};
const finalizerText = {
  intro: "Some content in the namespace has finalizers remaining: ",
  each: (name: string, count: number) => `${name} in ${count} resource instances`,
};
