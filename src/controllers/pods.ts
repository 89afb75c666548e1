import type { Pod, PodTemplateSpec } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { controllerRef, isDeleting } from "#kube/owner";
import { parseTime } from "./time.ts";

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** May still run: neither over nor on its way out. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isDeleting(pod);
}

export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

export function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === "Ready");
}

/** When a ready pod has been ready for long enough, in milliseconds since the epoch; undefined while it is not ready. */
export function availableAt(pod: Pod, minReadySeconds: number | undefined): number | undefined {
  const ready = readyCondition(pod);
  if (ready?.status !== "True") return undefined;
  return minReadySeconds ? parseTime(ready.lastTransitionTime) + minReadySeconds * 1000 : 0;
}

export function isAvailable(pod: Pod, minReadySeconds: number | undefined, now: number): boolean {
  const at = availableAt(pod, minReadySeconds);
  return at !== undefined && at <= now;
}

/** How long until the next ready pod becomes available; no event will tell. */
export function nextAvailableMs(
  pods: readonly Pod[],
  minReadySeconds: number | undefined,
  now: number,
): number | undefined {
  const waits = pods
    .map((pod) => availableAt(pod, minReadySeconds))
    .filter((at): at is number => at !== undefined && at > now)
    .map((at) => at - now);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** The pod a controller makes from its template. */
export function podFromTemplate(
  resource: Resource,
  owner: KubeObject,
  template: PodTemplateSpec | undefined,
): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      name: "",
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [controllerRef(resource, owner)],
    },
    spec: template?.spec,
  };
}

/** All addresses of the pod, the first family's first. */
export function podIps(pod: Pod): readonly string[] {
  const ips = (pod.status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  return ips.length > 0 ? ips : pod.status?.podIP ? [pod.status.podIP] : [];
}
