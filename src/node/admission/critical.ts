import type { Pod } from "#kube/generated/types";

/** From here on a pod is part of the system. */
const CRITICAL_PRIORITY = 2_000_000_000;
const SOURCE = "kubernetes.io/config.source";
const MIRROR = "kubernetes.io/config.mirror";

/** Whether the pod comes from a file of this node, not from the API. */
export function isStatic({ metadata }: Pod): boolean {
  const source = metadata.annotations?.[SOURCE];
  return source !== undefined && source !== "api";
}

/** Whether it is what the API shows of a pod from a file. */
export function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.[MIRROR] !== undefined;
}

/** The uid, on its node, of the pod that a mirror shows. */
export function mirroredUid({ metadata }: Pod): string {
  return metadata.annotations?.[MIRROR] ?? "";
}

/** Whether the node keeps the pod whatever it is short of. @see kubelet types/pod_update.go IsCriticalPod */
export function isCritical(pod: Pod): boolean {
  return isStatic(pod) || isMirror(pod) || (pod.spec?.priority ?? 0) >= CRITICAL_PRIORITY;
}

/** Whether the pod may take the other's place. */
export function mayPreempt(pod: Pod, other: Pod): boolean {
  if (isCritical(pod) && !isCritical(other)) return true;
  const [own, its] = [pod.spec?.priority, other.spec?.priority];
  return own !== undefined && its !== undefined && own > its;
}

/** The pod as the API's: what it says of coming from a file is not so. */
export function fromApi(pod: Pod): Pod {
  const { annotations } = pod.metadata;
  if (annotations?.[SOURCE] === undefined || annotations[SOURCE] === "api") return pod;
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...annotations, [SOURCE]: "api" } } };
}
