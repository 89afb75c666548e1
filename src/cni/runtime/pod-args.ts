import type { JsonObject } from "./json.ts";
import type { PodAttachment, PodAttachRequest } from "./open.ts";

/** How much may go out at once over a limit, in bits: containerd's, which is as much as the plugin takes. */
const BURST_BITS = 2 ** 32 - 1;

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
    ...(ingressBits === undefined ? {} : { ingressRate: ingressBits, ingressBurst: BURST_BITS }),
    ...(egressBits === undefined ? {} : { egressRate: egressBits, egressBurst: BURST_BITS }),
  };
}
