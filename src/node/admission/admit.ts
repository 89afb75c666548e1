import { existsSync, readFileSync } from "node:fs";
import type { Container, Node, Pod } from "#kube/generated/types";
import { matchesNode } from "#kube/node-affinity";
import { untolerated } from "#kube/tolerations";
import { collides } from "../pod/host-ports.ts";
import type { Pressure } from "../pressure/signals.ts";
import { qosOf } from "../status/qos.ts";
import { isCritical, isStatic } from "./critical.ts";
import { allocatableOfNode, type Shortage, shortage, shortages } from "./fits.ts";
import { podsToPreempt } from "./preempt.ts";
import { predicate, type Refusal } from "./refusal.ts";
import { forbiddenSysctl } from "./sysctls.ts";

export interface AdmissionContext {
  readonly nodeName: string;
  /** As the API has it; undefined before it was seen. */
  readonly node: Node | undefined;
  /** Measured, by resource name. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** All that run here, or are to. */
  readonly others: readonly Pod[];
  readonly allowedSysctls: readonly string[];
  readonly hasAppArmor: boolean;
  /** What the node is short of. */
  readonly pressures: readonly Pressure[];
}

const MEMORY_TAINT = { key: "node.kubernetes.io/memory-pressure", effect: "NoSchedule" };

type Check = (pod: Pod, context: AdmissionContext) => Refusal | undefined;

/** In the kubelet's order; the first that says no is the reason. */
const CHECKS: readonly Check[] = [
  pressure,
  (pod, { allowedSysctls }) => {
    const message = forbiddenSysctl(pod, allowedSysctls);
    return message === undefined ? undefined : { reason: "SysctlForbidden", message };
  },
  osLabel,
  osField,
  groupsPolicy,
  room,
  affinity,
  nodeName,
  hostPorts,
  taints,
  appArmor,
];

/** Why a pod that is new to this node, or to this life of its agent, cannot run beside the others; undefined when it can. The scheduler
 *  sees to most of it, but a pod that names its node itself was never asked. @see kubelet lifecycle/predicate.go */
export function refusalOf(pod: Pod, context: AdmissionContext): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(pod, context);
    if (refusal) return refusal;
  }
  return undefined;
}

/** Why it cannot run whatever room there is, and otherwise the pods that end so that a critical one has room: none where there is enough. */
export function admissionOf(
  pod: Pod,
  context: AdmissionContext,
): { readonly refusal?: Refusal; readonly victims?: readonly Pod[] } {
  const refusal = refusalOf(pod, context);
  if (!refusal) return { victims: [] };
  if (!isCritical(pod) || !refusal.reason.startsWith("OutOf")) return { refusal };
  for (const check of CHECKS) {
    const other = check === room ? undefined : check(pod, context);
    if (other) return { refusal: other };
  }
  const { others, node, allocatable } = context;
  const missing = shortages(pod, others, { allocatable: allocatableOfNode(node, allocatable) });
  const victims = podsToPreempt(pod, others, missing);
  return victims
    ? { victims }
    : { refusal: { reason: "UnexpectedAdmissionError", message: noVictims(missing) } };
}

/** As kubelets word it. */
function noVictims(missing: readonly Shortage[]): string {
  const words = missing.map(
    ({ resource, requested, used, capacity }) => `(res: ${resource}, q: ${requested - (capacity - used)}), `,
  );
  return `Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [${words.join("")}]`;
}

function room(pod: Pod, { others, node, allocatable }: AdmissionContext): Refusal | undefined {
  return shortage(pod, others, { allocatable: allocatableOfNode(node, allocatable) });
}

/** Whether the kernel confines programs by AppArmor profiles. */
export function hasAppArmor(): boolean {
  const path = "/sys/module/apparmor/parameters/enabled";
  return existsSync(path) && readFileSync(path, "utf8").startsWith("Y");
}

/** @see kubelet eviction/eviction_manager.go Admit */
function pressure(pod: Pod, { pressures }: AdmissionContext): Refusal | undefined {
  if (pressures.length === 0 || isCritical(pod)) return undefined;
  const onlyMemory = pressures.length === 1 && pressures[0] === "MemoryPressure";
  if (onlyMemory && qosOf(pod) !== "BestEffort") return undefined;
  if (onlyMemory && untolerated([MEMORY_TAINT], pod.spec?.tolerations, ["NoSchedule"]).length === 0)
    return undefined;
  return { reason: "Evicted", message: `The node had condition: [${pressures.join(" ")}]. ` };
}

function osLabel({ metadata }: Pod): Refusal | undefined {
  const wanted = metadata.labels?.["kubernetes.io/os"];
  if (wanted === undefined || wanted === "linux") return undefined;
  return {
    reason: "PodOSSelectorNodeLabelDoesNotMatch",
    message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  };
}

function osField({ spec }: Pod): Refusal | undefined {
  if (spec?.os === undefined || spec.os.name === "linux") return undefined;
  return {
    reason: "PodOSNotSupported",
    message: "Failed to admit pod as the OS field doesn't match node OS",
  };
}

function groupsPolicy({ spec }: Pod, { node }: AdmissionContext): Refusal | undefined {
  if (spec?.securityContext?.supplementalGroupsPolicy !== "Strict") return undefined;
  if (node?.status?.features?.supplementalGroupsPolicy === true) return undefined;
  return {
    reason: "SupplementalGroupsPolicyNotSupported",
    message: "SupplementalGroupsPolicy=Strict is not supported in this node",
  };
}

function affinity({ spec }: Pod, { node }: AdmissionContext): Refusal | undefined {
  if (!node || matchesNode(spec, node)) return undefined;
  return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
}

function nodeName({ spec }: Pod, context: AdmissionContext): Refusal | undefined {
  if (!spec?.nodeName || spec.nodeName === context.nodeName) return undefined;
  return predicate("NodeName", "node(s) didn't match the requested node name");
}

function hostPorts(pod: Pod, { others }: AdmissionContext): Refusal | undefined {
  if (!others.some((other) => collides(pod, other))) return undefined;
  return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
}

function taints(pod: Pod, { node }: AdmissionContext): Refusal | undefined {
  if (isStatic(pod)) return undefined;
  if (untolerated(node?.spec?.taints, pod.spec?.tolerations, ["NoExecute"]).length === 0) return undefined;
  return predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate");
}

function appArmor({ metadata, spec, status }: Pod, context: AdmissionContext): Refusal | undefined {
  if (context.hasAppArmor || (status?.phase ?? "Pending") !== "Pending") return undefined;
  const profiles = [
    spec?.securityContext?.appArmorProfile,
    ...allContainers(spec).map(({ securityContext }) => securityContext?.appArmorProfile),
  ];
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([key, value]) =>
      key.startsWith("container.apparmor.security.beta.kubernetes.io/") && value !== "unconfined",
  );
  if (annotations.length === 0 && !profiles.some((profile) => profile && profile.type !== "Unconfined"))
    return undefined;
  return { reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" };
}

function allContainers(spec: Pod["spec"]): readonly Pick<Container, "securityContext">[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}
