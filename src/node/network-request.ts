import type { PodAttachment, PodAttachRequest, PodBandwidth } from "#cni/pod-attachment";
import { Fault } from "#fault/fault";
import { parseQuantity } from "#kube/quantity";
import type { Sandbox, SandboxConfig } from "./runtime/runtime.ts";

const INGRESS = "kubernetes.io/ingress-bandwidth";
const EGRESS = "kubernetes.io/egress-bandwidth";
const LEAST_BITS = 1_000n;
const MOST_BITS = 1_000_000_000_000_000n;
const NANOS = 1_000_000_000n;

/** The attachment that a sandbox has at `netns`. */
export function networkKey(sandbox: Sandbox, netns: string): PodAttachment {
  const { id, podName, podNamespace, podUid } = sandbox;
  return { containerId: id, ifname: "eth0", netns, podName, podNamespace, podUid };
}

/** What the pod network is asked for one sandbox. @throws {Fault} "InvalidBandwidth" */
export function networkRequest(key: PodAttachment, config: SandboxConfig): PodAttachRequest {
  const { portMappings, annotations, dns, cgroupParent } = config;
  const bandwidth = podBandwidth(annotations);
  return {
    ...key,
    portMappings,
    annotations,
    dns: { servers: dns.servers, searches: dns.searches, options: dns.options },
    ...(bandwidth ? { bandwidth } : {}),
    ...(cgroupParent === undefined ? {} : { cgroupPath: cgroupParent }),
  };
}

/** The limits that a pod's annotations ask for; undefined when there are none.
 *  @throws {Fault} "InvalidBandwidth" @see k8s.io/kubernetes/pkg/util/bandwidth/utils.go */
export function podBandwidth(annotations: Readonly<Record<string, string>>): PodBandwidth | undefined {
  const ingressBits = bitsAt(annotations, INGRESS);
  const egressBits = bitsAt(annotations, EGRESS);
  if (ingressBits === undefined && egressBits === undefined) return undefined;
  return {
    ...(ingressBits === undefined ? {} : { ingressBits }),
    ...(egressBits === undefined ? {} : { egressBits }),
  };
}

function bitsAt(annotations: Readonly<Record<string, string>>, name: string): number | undefined {
  const text = annotations[name];
  if (text === undefined) return undefined;
  const quantity = parseQuantity(text);
  if (!quantity) throw refused(name, text, "it is no quantity");
  const bits = (quantity.nanos + NANOS - 1n) / NANOS;
  if (bits < LEAST_BITS) throw refused(name, text, "resource is unreasonably small (< 1kbit)");
  if (bits > MOST_BITS) throw refused(name, text, "resource is unreasonably large (> 1Pbit)");
  return Number(bits);
}

function refused(name: string, text: string, why: string): Fault {
  return new Fault(
    "InvalidBandwidth",
    `failed to get pod bandwidth info from annotations: ${name}: ${JSON.stringify(text)}: ${why}`,
  );
}
