import type { Container, Pod, ResourceRequirements } from "#kube/generated/types";

/** An event about the resize of a pod. */
export interface ResizeNews {
  readonly type: "Normal" | "Warning";
  readonly reason: "ResizeStarted" | "ResizeCompleted" | "ResizeDeferred" | "ResizeInfeasible";
  readonly message: string;
}

export function resizeStarted(pod: Pod): ResizeNews {
  return { type: "Normal", reason: "ResizeStarted", message: `Pod resize started: ${summary(pod)}` };
}

export function resizeCompleted(pod: Pod): ResizeNews {
  return { type: "Normal", reason: "ResizeCompleted", message: `Pod resize completed: ${summary(pod)}` };
}

/** Of a pod that does not get what it asks for, or not yet. */
export function resizePending(
  pod: Pod,
  { reason, message }: { reason: "Deferred" | "Infeasible"; message: string },
): ResizeNews {
  return {
    type: "Warning",
    reason: `Resize${reason}`,
    message: `Pod resize ${reason}: ${summary(pod, message)}`,
  };
}

/** What the pod asks for, as one line of JSON. @see kubelet events/resize.go */
function summary({ spec, metadata }: Pod, error?: string): string {
  const inits = (spec?.initContainers ?? []).map(share);
  const containers = (spec?.containers ?? []).map(share);
  return JSON.stringify({
    ...(inits.length > 0 ? { initContainers: inits } : {}),
    containers,
    generation: metadata.generation ?? 0,
    ...(error ? { error } : {}),
  });
}

function share({ name, resources = {} }: Container): { name: string; resources: ResourceRequirements } {
  const { limits, requests } = resources;
  return {
    name,
    resources: {
      ...(limits ? { limits: inOrder(limits) } : {}),
      ...(requests ? { requests: inOrder(requests) } : {}),
    },
  };
}

function inOrder<V>(map: Readonly<Record<string, V>>): Record<string, V> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
