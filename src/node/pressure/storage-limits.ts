import type { Pod } from "#kube/generated/types";
import { podAmounts } from "#kube/pod-amounts";
import { canonicalQuantity, formatQuantity } from "#kube/quantity";
import { wholeOf, wholeUnits } from "../cgroup/amounts.ts";
import { diskUse } from "./disk-use.ts";
import { emptyDirPath, type PodUsageDeps, podUsages } from "./pod-usage.ts";

const STORAGE = "ephemeral-storage";

/** What a pod keeps on the node's disk beyond a limit of its own, as a kubelet words it; undefined when it keeps within them. What is in
 *  memory cannot exceed its limit. @see kubelet eviction/eviction_manager.go localStorageEviction */
export async function beyondLimits(pod: Pod, deps: PodUsageDeps): Promise<string | undefined> {
  return (await volumeBeyond(pod, deps.podsDir)) ?? (await storageBeyond(pod, deps));
}

async function volumeBeyond({ metadata, spec }: Pod, podsDir: string): Promise<string | undefined> {
  for (const { name, emptyDir } of spec?.volumes ?? []) {
    const limit = wholeOf(emptyDir?.sizeLimit);
    if (limit === 0 || emptyDir?.sizeLimit === undefined || emptyDir.medium === "Memory") continue;
    const { bytes } = await diskUse(emptyDirPath(podsDir, metadata.uid ?? "", name));
    if (bytes <= limit) continue;
    const size = JSON.stringify(canonicalQuantity(emptyDir.sizeLimit));
    return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${size}. `;
  }
  return undefined;
}

async function storageBeyond(pod: Pod, deps: PodUsageDeps): Promise<string | undefined> {
  const ofPod = podAmounts(pod, "limits").get(STORAGE);
  if (!ofPod) return undefined;
  const usage = (await podUsages([pod], deps, { files: true, layers: true })).get(pod.metadata.uid ?? "");
  if (!usage) return undefined;
  if (usage.diskBytes > wholeUnits(ofPod))
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatQuantity(ofPod)}. `;
  for (const { name, resources } of pod.spec?.containers ?? []) {
    const limit = resources?.limits?.[STORAGE];
    if (limit === undefined || wholeOf(limit) === 0) continue;
    if ((usage.containers.get(name)?.diskBytes ?? 0) <= wholeOf(limit)) continue;
    return `Container ${name} exceeded its local ephemeral storage limit ${JSON.stringify(canonicalQuantity(limit))}. `;
  }
  return undefined;
}
