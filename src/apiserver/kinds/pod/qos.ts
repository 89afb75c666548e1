import type { PodSpec } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";

const RESOURCES = ["cpu", "memory"] as const;

/** The pod's quality of service: Guaranteed when cpu and memory of every container are limited to what they request, BestEffort when
 *  nothing is asked for, else Burstable. What the pod asks for its containers together goes before what they ask for. */
export function qosClassOf(spec: PodSpec | undefined): "Guaranteed" | "Burstable" | "BestEffort" {
  const own = { limits: spec?.resources?.limits, requests: spec?.resources?.requests };
  const isForAll = [own.limits, own.requests].some((all) => Object.keys(all ?? {}).length > 0);
  const containers = isForAll
    ? [{ resources: own }]
    : [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const asks = containers.flatMap(({ resources }) =>
    RESOURCES.map((name) => ({
      limit: amount(resources?.limits?.[name]),
      request: amount(resources?.requests?.[name]),
    })),
  );
  if (asks.every(({ limit, request }) => limit === 0n && request === 0n)) return "BestEffort";
  return asks.every(({ limit, request }) => limit !== 0n && request === limit) ? "Guaranteed" : "Burstable";
}

function amount(text: string | number | undefined): bigint {
  return text === undefined ? 0n : (parseQuantity(String(text))?.nanos ?? 0n);
}
