import type { Container, Pod } from "#kube/generated/types";
import { podAmounts } from "#kube/pod-amounts";
import { milliOf } from "#kube/quantity";
import type { Resources } from "../runtime/runtime.ts";
import { qosOf } from "../status/qos.ts";
import { milliUnits, wholeOf, wholeUnits } from "./amounts.ts";
import { cpuQuotaMicros, cpuShares, QUOTA_PERIOD_MICROS } from "./numbers.ts";
import { oomScoreAdj } from "./oom-score.ts";

/** What a cgroup says; what is absent is left as it is. */
export interface CgroupLimits {
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number | "max";
  readonly memoryBytes?: number | "max";
  readonly pids?: number | "max";
}

/** What all containers of the pod may use together. A limit holds for the pod only if each of its containers has one.
 *  @see ResourceConfigForPod in kubelet cm/helpers_linux.go */
export function podLimits(pod: Pod, { pids }: { pids: number | undefined }): CgroupLimits {
  const qos = qosOf(pod);
  const bound = pids === undefined ? {} : { pids };
  if (qos === "BestEffort") return { cpuShares: cpuShares(0), ...bound };
  const requests = podAmounts(pod, "requests");
  const limits = podAmounts(pod, "limits");
  const [cpuRequest, cpuLimit, memory] = [requests.get("cpu"), limits.get("cpu"), limits.get("memory")];
  return {
    cpuShares: cpuShares(cpuRequest ? milliUnits(cpuRequest) : 0),
    cpuQuotaMicros: (isLimited(pod, "cpu") && cpuLimit && cpuQuotaMicros(milliUnits(cpuLimit))) || "max",
    memoryBytes: isLimited(pod, "memory") && memory ? wholeUnits(memory) : "max",
    ...bound,
  };
}

/** What one container may use, as it is handed to the runtime; what the pod has as a whole stands in for what the container has not.
 *  @see kubelet kuberuntime_container_linux.go */
export function containerResources(
  container: Container,
  pod: Pod,
  { memoryBytes }: { memoryBytes: number },
): Resources {
  const { requests, limits } = container.resources ?? {};
  const whole = pod.spec?.resources?.limits;
  const cpuLimit = milliOf(limits?.["cpu"]) || milliOf(whole?.["cpu"]);
  const memory = wholeOf(limits?.["memory"]) || wholeOf(whole?.["memory"]);
  const request = requests?.["cpu"] === undefined ? cpuLimit : milliOf(requests["cpu"]);
  const quota = cpuQuotaMicros(cpuLimit);
  return {
    cpuShares: cpuShares(request),
    cpuPeriodMicros: QUOTA_PERIOD_MICROS,
    ...(quota === undefined ? {} : { cpuQuotaMicros: quota }),
    ...(memory > 0 ? { memoryBytes: memory } : {}),
    ...hugePages(limits),
    oomScoreAdj: oomScoreAdj(container, pod, memoryBytes),
  };
}

/** As runtimes name the sizes: `hugepages-2Mi` is `2MB`. */
function hugePages(limits: Readonly<Record<string, string>> = {}): Pick<Resources, "hugePages"> {
  const found = Object.entries(limits).flatMap(([resource, amount]) => {
    const [, size, unit] = /^hugepages-(\d+)([KMG])i$/.exec(resource) ?? [];
    return size && unit ? [[`${size}${unit}B`, wholeOf(amount)] as const] : [];
  });
  return found.length === 0 ? {} : { hugePages: Object.fromEntries(found) };
}

/** Whether the whole pod has a limit: each of its containers has one, or the pod itself. */
export function isLimited({ spec }: Pod, resource: "cpu" | "memory"): boolean {
  if (spec?.resources?.limits?.[resource] !== undefined) return true;
  const all = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return all.every(({ resources }) => wholeOf(resources?.limits?.[resource]) > 0);
}
