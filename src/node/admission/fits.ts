import type { Node, Pod } from "#kube/generated/types";
import { type Amounts, amountsOf, podAmounts } from "#kube/pod-amounts";
import type { Quantity } from "#kube/quantity";
import { milliUnits, wholeUnits } from "../cgroup/amounts.ts";
import type { Refusal } from "./refusal.ts";

/** In this order: the first that is short is the reason. */
const OWN = ["cpu", "memory", "ephemeral-storage"];

/** How much of what is missing. */
export interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

/** Why the pods' requests would be more than the node has; undefined when there is room. */
export function shortage(
  pod: Pod,
  others: readonly Pod[],
  { allocatable }: { allocatable: Readonly<Record<string, string>> },
): Refusal | undefined {
  const [first] = shortages(pod, others, { allocatable });
  return first && outOf(first);
}

/** All that the node has too little of for one more pod. Extended resources that the node does not advertise are somebody else's to count.
 *  @see scheduler noderesources.Fits */
export function shortages(
  pod: Pod,
  others: readonly Pod[],
  { allocatable }: { allocatable: Readonly<Record<string, string>> },
): readonly Shortage[] {
  const room = amountsOf(allocatable);
  const pods = wholeOf(room.get("pods"));
  const missing: Shortage[] = [];
  if (others.length + 1 > pods)
    missing.push({ resource: "pods", requested: 1, used: others.length, capacity: pods });
  const wanted = podAmounts(pod, "requests");
  const names = [...OWN, ...[...wanted.keys()].filter((name) => !OWN.includes(name) && room.has(name))];
  const used = others.map((other) => podAmounts(other, "requests"));
  for (const name of names) {
    const asked = units(name, wanted);
    if (asked === 0) continue;
    const capacity = units(name, room);
    const taken = used.reduce((sum, amounts) => sum + units(name, amounts), 0);
    if (asked > capacity - taken) missing.push({ resource: name, requested: asked, used: taken, capacity });
  }
  return missing;
}

/** What a pod asks for, in the units that shortages have. */
export function requested(pod: Pod, resource: string): number {
  return resource === "pods" ? 1 : units(resource, podAmounts(pod, "requests"));
}

function outOf({ resource, requested, used, capacity }: Shortage): Refusal {
  return {
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  };
}

/** Processors are counted in thousandths, all else in whole units. */
function units(name: string, amounts: Amounts): number {
  const amount = amounts.get(name);
  if (!amount) return 0;
  return name === "cpu" ? milliUnits(amount) : wholeUnits(amount);
}

function wholeOf(amount: Quantity | undefined): number {
  return amount ? wholeUnits(amount) : 0;
}

/** What the Node says it has for pods; that counts more than what was measured, as others may have added to it. */
export function allocatableOfNode(
  node: Node | undefined,
  measured: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...node?.status?.allocatable, ...measured };
}
