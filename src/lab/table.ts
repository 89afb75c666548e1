import type { Node, Pod } from "#kube/generated/types";

/** Columns padded to their widest cell, as kubectl prints them. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 3))
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

export function nodeTable(nodes: readonly Node[]): string {
  const rows = nodes.map((node) => [
    node.metadata.name,
    isTrue(node.status?.conditions, "Ready") ? "Ready" : "NotReady",
    node.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "<none>",
    node.spec?.podCIDR ?? "<none>",
  ]);
  return formatTable([["NODE", "STATUS", "ADDRESS", "PODS"], ...rows.sort(byFirst)]);
}

export function podTable(pods: readonly Pod[]): string {
  const rows = pods.map((pod) => [
    pod.metadata.namespace ?? "",
    pod.metadata.name,
    isTrue(pod.status?.conditions, "Ready") ? "Ready" : (pod.status?.phase ?? "Unknown"),
    pod.status?.podIP ?? "<none>",
    pod.spec?.nodeName ?? "<none>",
  ]);
  return formatTable([["NAMESPACE", "POD", "STATUS", "IP", "NODE"], ...rows.sort(byFirst)]);
}

export function isTrue(
  conditions: readonly { readonly type: string; readonly status: string }[] | undefined,
  type: string,
) {
  return conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}

function byFirst(a: readonly string[], b: readonly string[]): number {
  return a.join(" ") < b.join(" ") ? -1 : 1;
}
