import type { Pod } from "#kube/generated/types";
import { podAmounts } from "#kube/pod-amounts";
import { wholeUnits } from "../cgroup/amounts.ts";
import type { PodUsage } from "./pod-usage.ts";
import type { Starved } from "./signals.ts";

type Usages = ReadonlyMap<string, PodUsage>;
type Compare = (a: Pod, b: Pod) => number;

const REQUESTED: Readonly<Record<Starved, string>> = {
  memory: "memory",
  "ephemeral-storage": "ephemeral-storage",
  // Nobody asks for inodes; what was asked of the disk is taken off them all the same.
  inodes: "ephemeral-storage",
  pids: "",
};

/** The pods, the first to go first: those that use more than they asked for, then those of the lowest priority, then those that use the
 *  most beyond what they asked for. Of what nobody can ask for, only the last two count. @see kubelet eviction/helpers.go */
export function rankForEviction(
  pods: readonly Pod[],
  { starved, usages }: { starved: Starved; usages: Usages },
): readonly Pod[] {
  const orders: readonly Compare[] =
    starved === "pids"
      ? [byPriority, byExcess(starved, usages)]
      : [byExceeding(starved, usages), byPriority, byExcess(starved, usages)];
  return [...pods].sort((a, b) => orders.reduce((result, order) => result || order(a, b), 0));
}

function byPriority(a: Pod, b: Pod): number {
  return (a.spec?.priority ?? 0) - (b.spec?.priority ?? 0);
}

/** Of whom nothing is known goes first. */
function byExceeding(starved: Starved, usages: Usages): Compare {
  const exceeds = (pod: Pod) => {
    const used = usageOf(pod, starved, usages);
    return used === undefined ? 2 : Number(used > requestOf(pod, starved === "inodes" ? "" : starved));
  };
  return (a, b) => exceeds(b) - exceeds(a);
}

function byExcess(starved: Starved, usages: Usages): Compare {
  const excess = (pod: Pod) => {
    const used = usageOf(pod, starved, usages);
    return used === undefined ? Number.MAX_SAFE_INTEGER : used - requestOf(pod, REQUESTED[starved]);
  };
  return (a, b) => excess(b) - excess(a);
}

function usageOf({ metadata }: Pod, starved: Starved, usages: Usages): number | undefined {
  const usage = usages.get(metadata.uid ?? "");
  if (!usage) return undefined;
  switch (starved) {
    case "memory":
      return usage.memoryBytes;
    case "ephemeral-storage":
      return usage.diskBytes;
    case "inodes":
      return usage.inodes;
    case "pids":
      return usage.processes;
    default:
      return starved satisfies never;
  }
}

function requestOf(pod: Pod, resource: string): number {
  const request = podAmounts(pod, "requests").get(resource);
  return request ? wholeUnits(request) : 0;
}
