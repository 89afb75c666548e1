import type { Pod, PodStatus, ResourceRequirements } from "#kube/generated/types";
import { type Amounts, podAmounts } from "#kube/pod-amounts";
import { formatQuantity } from "#kube/quantity";
import { isLimited } from "../cgroup/limits.ts";
import type { Phase } from "./phase.ts";

/** What the pod has as a whole. Until it runs that is the sum of what its containers ask for; then it is what its cgroup says, which
 *  has a limit only if every container has one. @see kubelet_pods.go convertToAPIPodLevelResourcesStatus */
export function podResources(
  pod: Pod,
  { phase }: { phase: Phase },
): Pick<PodStatus, "resources" | "allocatedResources"> {
  const requests = written(podAmounts(pod, "requests"));
  const limits = written(podAmounts(pod, "limits"));
  const isKept = (name: string) => (name !== "cpu" && name !== "memory") || isLimited(pod, name);
  const held =
    phase === "Running" ? Object.entries(limits).filter(([name]) => isKept(name)) : Object.entries(limits);
  return {
    resources: { ...unlessEmpty("requests", requests), ...unlessEmpty("limits", Object.fromEntries(held)) },
    ...unlessEmpty("allocatedResources", requests),
  };
}

type Written = NonNullable<ResourceRequirements["requests"]>;

function written(amounts: Amounts): Written {
  return Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]));
}

function unlessEmpty<K extends string>(key: K, list: Written): Partial<Record<K, Written>> {
  const entry = { [key]: list } as Record<K, Written>; // A computed key is any string to the compiler.
  return Object.keys(list).length === 0 ? {} : entry;
}
