import { Fault } from "#fault/fault";
import type { Container, Pod, ResourceFieldSelector } from "#kube/generated/types";
import { amountOf } from "#kube/quantity";

/** What of the node and of the running pod the downward API may tell. */
export interface DownwardFacts {
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  /** Quantities, for limits that are not set. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The text of a `fieldRef`. Whole labels and annotations are for volumes only. @throws {Fault} "BadFieldPath" */
export function fieldValue(pod: Pod, path: string, facts: DownwardFacts): string {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed?.[1] && keyed[2]) return metadata[keyed[1] as "labels" | "annotations"]?.[keyed[2]] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return mapLines(metadata.labels);
    case "metadata.annotations":
      return mapLines(metadata.annotations);
    case "spec.nodeName":
      return spec?.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec?.serviceAccountName ?? "";
    case "status.hostIP":
      return facts.hostIps[0] ?? "";
    case "status.hostIPs":
      return facts.hostIps.join(",");
    case "status.podIP":
      return facts.podIps[0] ?? "";
    case "status.podIPs":
      return facts.podIps.join(",");
    default:
      throw new Fault("BadFieldPath", `unsupported fieldPath: ${path}`);
  }
}

/** The number of a `resourceFieldRef`, rounded up to whole divisors. @throws {Fault} "BadFieldPath" */
export function resourceValue(
  container: Container | undefined,
  { resource, divisor }: ResourceFieldSelector,
  facts: DownwardFacts,
): string {
  const match = /^(limits|requests)\.(.+)$/.exec(resource);
  const [kind, name] = [match?.[1], match?.[2]];
  if (!container || (kind !== "limits" && kind !== "requests") || !name)
    throw new Fault("BadFieldPath", `unsupported container resource: ${resource}`);
  const limit = container.resources?.limits?.[name];
  const text =
    kind === "limits"
      ? (limit ?? facts.allocatable[name])
      : (container.resources?.requests?.[name] ?? limit ?? "0");
  const by = amountOf(divisor ?? "1") || 1;
  return String(Math.ceil(round((amountOf(text ?? "0") ?? 0) / by)));
}

/** Keeps 0.1 + 0.2 from becoming the next whole number. */
function round(value: number): number {
  return Number(value.toPrecision(15));
}

function mapLines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}
