import type { PodAttachment, PodAttachRequest } from "../pod-attachment.ts";
import type { JsonObject } from "./json.ts";

/** What may go at once after a pause: what goes in this time, and at least some large packets. containerd asks for as much as
 *  the plugin takes, half a gigabyte, and so lets most of what a pod ever sends go unlimited. */
const BURST_SECONDS = 0.05;
const LEAST_BURST_BITS = 8 * 64 * 1024;
const MOST_BURST_BITS = 2 ** 32 - 1;

/** What Kubernetes' runtimes tell plugins of a pod in `CNI_ARGS`. */
export function cniArgs(pod: PodAttachment): readonly (readonly [string, string])[] {
  return [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", pod.podNamespace],
    ["K8S_POD_NAME", pod.podName],
    ["K8S_POD_INFRA_CONTAINER_ID", pod.containerId],
    ["K8S_POD_UID", pod.podUid],
  ];
}

/** All of a pod that plugins may ask for. @see CONVENTIONS.md of CNI, "Dynamic Plugin specific fields" */
export function capabilityArgs(request: PodAttachRequest): JsonObject {
  const { portMappings, bandwidth, dns, cgroupPath, annotations } = request;
  const ports = portMappings
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIP = "" }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      ...(hostIP === "" ? {} : { hostIP }),
    }));
  return {
    ...(ports.length === 0 ? {} : { portMappings: ports }),
    ...(bandwidth ? { bandwidth: rates(bandwidth) } : {}),
    ...(dns ? { dns: { servers: dns.servers, searches: dns.searches, options: dns.options } } : {}),
    ...(cgroupPath === undefined ? {} : { cgroupPath }),
    "io.kubernetes.cri.pod-annotations": annotations,
  };
}

function rates({
  ingressBits,
  egressBits,
}: {
  readonly ingressBits?: number;
  readonly egressBits?: number;
}): JsonObject {
  return {
    ...(ingressBits === undefined ? {} : { ingressRate: ingressBits, ingressBurst: burstOf(ingressBits) }),
    ...(egressBits === undefined ? {} : { egressRate: egressBits, egressBurst: burstOf(egressBits) }),
  };
}

function burstOf(bits: number): number {
  return Math.min(MOST_BURST_BITS, Math.max(LEAST_BURST_BITS, Math.ceil(bits * BURST_SECONDS)));
}
