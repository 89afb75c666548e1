import type { Pod } from "#kube/generated/types";
import { type QosClass, qosOf } from "../status/qos.ts";
import { mayPreempt } from "./critical.ts";
import { requested, type Shortage } from "./fits.ts";

/** How much of what must become free. */
type Needs = ReadonlyMap<string, number>;

/** The pods that end so that a critical one has room: of the lower classes first, and of each class those that come closest to what is
 *  missing. Undefined when all of them together would not be enough. @see kubelet preemption/preemption.go */
export function podsToPreempt(
  pod: Pod,
  others: readonly Pod[],
  missing: readonly Shortage[],
): readonly Pod[] | undefined {
  const needs: Needs = new Map(
    missing.map((one) => [one.resource, one.requested - (one.capacity - one.used)]),
  );
  const lower = others.filter((other) => mayPreempt(pod, other));
  const of = (qos: QosClass) => lower.filter((other) => qosOf(other) === qos);
  const [bestEffort, burstable, guaranteed] = [of("BestEffort"), of("Burstable"), of("Guaranteed")];
  const fromGuaranteed = closest(guaranteed, without(needs, [...bestEffort, ...burstable]));
  if (!fromGuaranteed) return undefined;
  const fromBurstable = closest(burstable, without(needs, [...bestEffort, ...fromGuaranteed]));
  if (!fromBurstable) return undefined;
  const fromBestEffort = closest(bestEffort, without(needs, [...fromBurstable, ...fromGuaranteed]));
  return fromBestEffort && [...fromBestEffort, ...fromBurstable, ...fromGuaranteed];
}

/** What is still missing once these are gone. */
function without(needs: Needs, pods: readonly Pod[]): Needs {
  const left = [...needs].map(([resource, amount]): [string, number] => [
    resource,
    pods.reduce((rest, pod) => rest - requested(pod, resource), amount),
  ]);
  return new Map(left.filter(([, amount]) => amount > 0));
}

/** As few as will do; of two that are as close, the smaller. */
function closest(from: readonly Pod[], needs: Needs): readonly Pod[] | undefined {
  const chosen: Pod[] = [];
  for (let left = needs; left.size > 0; left = without(needs, chosen)) {
    const rest = from.filter((pod) => !chosen.includes(pod));
    const best = rest.reduce<Pod | undefined>(
      (found, pod) => (found && compare(found, pod, left) < 0 ? found : pod),
      undefined,
    );
    if (!best) return undefined;
    chosen.push(best);
  }
  return chosen;
}

function compare(a: Pod, b: Pod, needs: Needs): number {
  return (
    distance(a, needs) - distance(b, needs) ||
    requested(a, "memory") - requested(b, "memory") ||
    requested(a, "cpu") - requested(b, "cpu")
  );
}

/** The parts of each need that a pod leaves open, squared, whatever their units are. */
function distance(pod: Pod, needs: Needs): number {
  return [...needs].reduce((sum, [resource, amount]) => {
    const open = Math.max(0, amount - requested(pod, resource));
    return sum + (open / amount) ** 2;
  }, 0);
}
