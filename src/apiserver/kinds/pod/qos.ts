import type { PodSpec } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";

const RESOURCES = ["cpu", "memory"] as const;

/** The pod's quality of service: Guaranteed when cpu and memory of every container are limited to what they request, BestEffort when
 *  nothing is asked for, else Burstable. */
export function qosClassOf(spec: PodSpec | undefined): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const asks = containers.flatMap(({ resources }) =>
    RESOURCES.map((name) => ({
      limit: amount(resources?.limits?.[name]),
      request: amount(resources?.requests?.[name]),
    })),
  );
  if (asks.every(({ limit, request }) => limit === 0n && request === 0n)) return "BestEffort";
  return asks.every(({ limit, request }) => limit !== 0n && (request === limit || request === 0n))
    ? "Guaranteed"
    : "Burstable";
}

function amount(text: string | number | undefined): bigint {
  return text === undefined ? 0n : (parseQuantity(String(text))?.nanos ?? 0n);
}
