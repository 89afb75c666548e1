/** Why a pod cannot run on this node: becomes its status and an event. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** As kubelets word what a scheduler would have seen. */
export function predicate(reason: string, what: string): Refusal {
  return { reason, message: `Predicate ${reason} failed: ${what}` };
}
