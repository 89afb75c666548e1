import type { EndpointSlice } from "#kube/generated/types";

/** Those that are ready, by the name of the node of each, "" where none is told. A pod with addresses of both families is one. */
export function readyEndpoints(slices: readonly EndpointSlice[]): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>();
  for (const { endpoints } of slices)
    for (const { addresses, conditions, nodeName = "", targetRef } of endpoints ?? []) {
      if (conditions?.ready === false) continue;
      const pod = targetRef && `${targetRef.kind} ${targetRef.namespace}/${targetRef.name}`;
      nodes.set(pod ?? addresses[0] ?? "", nodeName);
    }
  return nodes;
}
