import type { PersistentVolumeClaim, Pod, Service } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { type Amounts, amountsOf, podAmounts } from "#kube/pod-amounts";
import type { Quantity } from "#kube/quantity";
import { qualified, type ResourceName } from "../../status.ts";

const NANOS = 1_000_000_000n;
const CLASS_SUFFIX = ".storageclass.storage.k8s.io/";
const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
/** Kinds that a quota may also name without `count/`. */
const PLAIN_NAMES = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);
/** Names that only pods use up. */
const POD_NAMES = new Set([
  "pods",
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
]);

/** How much of everything a quota can limit one object uses.
 *  @see pkg/quota/v1/evaluator/core in kubernetes */
export function usageOf(resource: ResourceName, object: KubeObject, now: number): Amounts {
  const usage = new Map<string, Quantity>([[`count/${qualified(resource)}`, whole(1)]]);
  if (resource.group !== "") return usage;
  if (PLAIN_NAMES.has(resource.plural)) usage.set(resource.plural, whole(1));
  switch (resource.plural) {
    case "pods":
      if (countsAsRunning(object, now)) addPod(usage, object);
      break;
    case "services":
      addService(usage, object);
      break;
    case "persistentvolumeclaims":
      addClaim(usage, object);
      break;
  }
  return usage;
}

/** The resource whose objects use up what a quota calls `name`. */
export function sourceOf(name: string): ResourceName {
  if (name.startsWith("count/")) {
    const [plural = "", ...group] = name.slice("count/".length).split(".");
    return { group: group.join("."), plural };
  }
  if (name.startsWith("services.")) return { group: "", plural: "services" };
  if (name === "requests.storage" || name.includes(CLASS_SUFFIX))
    return { group: "", plural: "persistentvolumeclaims" };
  if (PLAIN_NAMES.has(name)) return { group: "", plural: name };
  return { group: "", plural: "pods" };
}

/** The names in `hard` that are about pods: cpu, `requests.memory`, `requests.example.com/gpu`, ... */
export function isPodName(name: string): boolean {
  return (
    POD_NAMES.has(name) || name === "count/pods" || /^(requests\.)?hugepages-/.test(name) || isExtended(name)
  );
}

function isExtended(name: string): boolean {
  return name.startsWith("requests.") && name.includes("/") && !name.includes("kubernetes.io/");
}

/** What one container or pod uses up by what it requests and is limited to. */
export function computeUsage(requests: Amounts, limits: Amounts): Map<string, Quantity> {
  const usage = new Map<string, Quantity>([["pods", whole(1)]]);
  for (const [name, amount] of requests) {
    if (COMPUTE.includes(name) || name.startsWith("hugepages-")) usage.set(name, amount);
    if (COMPUTE.includes(name) || name.startsWith("hugepages-") || name.includes("/"))
      usage.set(`requests.${name}`, amount);
  }
  for (const [name, amount] of limits) if (COMPUTE.includes(name)) usage.set(`limits.${name}`, amount);
  return usage;
}

function addPod(usage: Map<string, Quantity>, pod: Pod): void {
  for (const [name, amount] of computeUsage(podAmounts(pod, "requests"), podAmounts(pod, "limits")))
    usage.set(name, amount);
}

/** Neither over, nor deleted for so long that it must be. */
function countsAsRunning({ status, metadata }: Pod, now: number): boolean {
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return now <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  const ports = spec?.ports ?? [];
  if (spec?.type === "NodePort") usage.set("services.nodeports", whole(ports.length));
  if (spec?.type !== "LoadBalancer") return;
  const own = spec.allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort }) => nodePort) : ports;
  usage.set("services.nodeports", whole(own.length));
  usage.set("services.loadbalancers", whole(1));
}

function addClaim(usage: Map<string, Quantity>, claim: PersistentVolumeClaim): void {
  const { spec, status, metadata } = claim;
  const className =
    metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
  const asked = amountsOf(spec?.resources?.requests).get("storage");
  const given = amountsOf(status?.allocatedResources).get("storage");
  const size = given && asked && given.nanos > asked.nanos ? given : asked;
  if (className !== "") usage.set(`${className}${CLASS_SUFFIX}persistentvolumeclaims`, whole(1));
  if (size === undefined) return;
  usage.set("requests.storage", size);
  if (className !== "") usage.set(`${className}${CLASS_SUFFIX}requests.storage`, size);
}

function whole(count: number): Quantity {
  return { nanos: BigInt(count) * NANOS, format: "decimal" };
}
