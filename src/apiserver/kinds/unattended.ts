import type { KindSpec } from "./kind.ts";

/** Kinds that are stored, validated and printed, while nothing acts on them yet. Saying nothing would be worse than having
 *  nothing: a policy that is not enforced looks like one that is. */
const UNATTENDED: Readonly<Record<string, string>> = {
  Ingress: "no ingress controller serves it yet",
  NetworkPolicy: "it is not enforced yet; traffic is not filtered",
  HorizontalPodAutoscaler: "nothing scales by it yet",
};

/** The kind, warning whoever creates one when nothing acts on it: kubectl prints the warning. */
export function warnUnattended<K extends KindSpec>(kind: K): K {
  const why = UNATTENDED[kind.resource.kind];
  if (why === undefined) return kind;
  return {
    ...kind,
    prepareCreate(draft, context) {
      context.warn(`${kind.resource.kind} ${draft.metadata.name} is stored, but ${why}`);
      kind.prepareCreate?.(draft, context);
    },
  };
}
