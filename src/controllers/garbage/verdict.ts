import type { OwnerReference } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { FOREGROUND, ORPHAN, ownersOf } from "./graph.ts";

/** What is known of an owner: there, there but waiting for its dependents to go, or not there. */
export type OwnerState = "solid" | "waiting" | "absent";

export type Verdict =
  | { readonly kind: "keep" }
  /** Some owners remain: only the references to the others go. */
  | { readonly kind: "trim"; readonly owners: readonly OwnerReference[] }
  | { readonly kind: "delete"; readonly policy: "Foreground" | "Background" | "Orphan" };

/** What becomes of an object, given the state of each of its owners. */
export function judge(
  object: KubeObject,
  stateOf: (owner: OwnerReference) => OwnerState,
  hasDependents: boolean,
): Verdict {
  const owners = ownersOf(object);
  if (owners.length === 0) return { kind: "keep" };
  const states = owners.map((owner) => ({ owner, state: stateOf(owner) }));
  const solid = states.filter(({ state }) => state === "solid");
  if (solid.length === owners.length) return { kind: "keep" };
  if (solid.length > 0) return { kind: "trim", owners: solid.map(({ owner }) => owner) };
  const isAwaited = states.some(({ state }) => state === "waiting");
  if (isAwaited && hasDependents) return { kind: "delete", policy: "Foreground" };
  return { kind: "delete", policy: ownPolicy(object) };
}

/** What was asked for when the object itself was last deleted, else the default. */
function ownPolicy({ metadata }: KubeObject): "Foreground" | "Background" | "Orphan" {
  if ((metadata.finalizers ?? []).includes(ORPHAN)) return "Orphan";
  return (metadata.finalizers ?? []).includes(FOREGROUND) ? "Foreground" : "Background";
}
