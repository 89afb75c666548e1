import type { Container, PodSpec } from "#kube/generated/types";
import { amountOf } from "#kube/quantity";

const COUNTED = ["cpu", "memory"] as const;

/** Guaranteed: every container's requests equal its limits for cpu and memory. BestEffort: none has any. Else Burstable. */
export function qosClass(spec: PodSpec): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers: readonly Pick<Container, "resources">[] = spec.resources
    ? [{ resources: spec.resources }]
    : [...(spec.initContainers ?? []), ...spec.containers];
  const amounts = containers.flatMap(({ resources }) =>
    COUNTED.map((name) => {
      const limit = amount(resources?.limits?.[name]);
      return { limit, request: amount(resources?.requests?.[name]) || limit };
    }),
  );
  if (amounts.every(({ limit, request }) => limit === 0 && request === 0)) return "BestEffort";
  return amounts.every(({ limit, request }) => limit > 0 && limit === request) ? "Guaranteed" : "Burstable";
}

function amount(quantity: string | undefined): number {
  return quantity === undefined ? 0 : (amountOf(quantity) ?? 0);
}
