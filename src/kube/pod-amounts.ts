import type { Container, Pod } from "./generated/types.ts";
import { parseQuantity, type Quantity } from "./quantity.ts";

/** Amounts by resource name, such as `cpu` or `services.nodeports`. */
export type Amounts = ReadonlyMap<string, Quantity>;

/** What the whole pod asks for (or may use at most): its containers and sidecars together, or its largest start step if that is more; plus overhead.
 *  @see resourcehelper.PodRequests and PodLimits in component-helpers */
export function podAmounts({ spec }: Pod, of: "requests" | "limits"): Amounts {
  const running = new Map<string, Quantity>();
  const steps = new Map<string, Quantity>();
  for (const container of spec?.containers ?? []) addTo(running, containerAmounts(container, of));
  const sidecars = new Map<string, Quantity>();
  for (const container of spec?.initContainers ?? []) {
    const own = containerAmounts(container, of);
    if (container.restartPolicy === "Always") {
      addTo(running, own);
      addTo(sidecars, own);
      raiseTo(steps, sidecars);
    } else raiseTo(steps, sum(sidecars, own));
  }
  raiseTo(running, steps);
  for (const [name, amount] of amountsOf(spec?.resources?.[of])) running.set(name, amount);
  const overhead = amountsOf(spec?.overhead);
  // A limit is only there if somebody set it; overhead alone makes none.
  addTo(running, of === "requests" ? overhead : new Map([...overhead].filter(([name]) => running.has(name))));
  return running;
}

/** The container's own requests or limits, read; what is no quantity is left out. */
export function containerAmounts({ resources }: Container, of: "requests" | "limits"): Amounts {
  return amountsOf(resources?.[of]);
}

/** A list of quantities as the API has it, read. */
export function amountsOf(list: Readonly<Record<string, string | number>> | undefined): Amounts {
  const out = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = parseQuantity(String(text));
    if (quantity !== undefined) out.set(name, quantity);
  }
  return out;
}

export function addTo(total: Map<string, Quantity>, more: Amounts): void {
  for (const [name, { nanos, format }] of more) {
    const before = total.get(name);
    total.set(
      name,
      before && before.nanos !== 0n ? { ...before, nanos: before.nanos + nanos } : { nanos, format },
    );
  }
}

function sum(a: Amounts, b: Amounts): Amounts {
  const out = new Map(a);
  addTo(out, b);
  return out;
}

function raiseTo(total: Map<string, Quantity>, other: Amounts): void {
  for (const [name, amount] of other)
    if ((total.get(name)?.nanos ?? -1n) < amount.nanos) total.set(name, amount);
}
