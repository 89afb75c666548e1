import type { Container, Pod, PodSpec } from "#kube/generated/types";
import { amountOf } from "#kube/quantity";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const COUNTED = ["cpu", "memory"] as const;

/** The class the API has given the pod; computed where it has none yet. */
export function qosOf({ spec, status }: Pick<Pod, "spec" | "status">): QosClass {
  const told = status?.qosClass;
  if (told === "Guaranteed" || told === "Burstable" || told === "BestEffort") return told;
  return spec ? qosClass(spec) : "BestEffort";
}

/** Guaranteed: every container has limits of cpu and memory, which are also its requests. BestEffort: none has any. Else Burstable. */
export function qosClass(spec: PodSpec): QosClass {
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
