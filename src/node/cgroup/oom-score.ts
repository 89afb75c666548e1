import type { Container, Pod } from "#kube/generated/types";
import { podAmounts } from "#kube/pod-amounts";
import { qosOf } from "../status/qos.ts";
import { wholeOf, wholeUnits } from "./amounts.ts";

const GUARANTEED = -997;
const BEST_EFFORT = 1000;
/** From here on a pod is part of the system; 1000 more, and it is part of the node. */
const NODE_CRITICAL_PRIORITY = 2_000_001_000;

/** How readily the kernel kills a container's processes when memory runs out: from -997, last, to 1000, first. Among burstable pods, the
 *  more of the node's memory was asked for, the later. @see kubelet qos/policy.go */
export function oomScoreAdj(container: Container, pod: Pod, memoryBytes: number): number {
  const { spec } = pod;
  if ((spec?.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return GUARANTEED;
  const qos = qosOf(pod);
  if (qos === "Guaranteed") return GUARANTEED;
  if (qos === "BestEffort" || memoryBytes <= 0) return BEST_EFFORT;
  const shared = unclaimedShare(pod);
  const score = (requestBytes: number) => 1000 - Math.floor((1000 * (requestBytes + shared)) / memoryBytes);
  const own = score(memoryRequest(container));
  const regular = (spec?.containers ?? []).map(memoryRequest);
  const capped = isSidecar(container, pod) ? Math.min(own, score(Math.min(...regular))) : own;
  return Math.min(BEST_EFFORT - 1, Math.max(1000 + GUARANTEED, capped));
}

/** What the pod asks for as a whole and none of its containers does, in equal parts. */
function unclaimedShare(pod: Pod): number {
  const { spec } = pod;
  if (spec?.resources?.requests === undefined) return 0;
  const all = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always"),
  ];
  const whole = podAmounts(pod, "requests").get("memory");
  const claimed = all.reduce((total, container) => total + memoryRequest(container), 0);
  const left = (whole ? wholeUnits(whole) : 0) - claimed;
  return left > 0 ? Math.floor(left / all.length) : 0;
}

function memoryRequest({ resources }: Container): number {
  return wholeOf(resources?.requests?.["memory"]);
}

function isSidecar({ name, restartPolicy }: Container, { spec }: Pod): boolean {
  return restartPolicy === "Always" && (spec?.initContainers ?? []).some((init) => init.name === name);
}
