/** Elements of no service: who is no stranger, and where ClusterIPs and pods have their addresses. */
import type { Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import { ofFamily } from "./chains.ts";
import { outermost } from "./desired.ts";
import type { Element, Ground } from "./model.ts";

export function groundElements(ground: Ground, family: Family): readonly Element[] {
  const make = (set: Element["set"], key: string): Element => ({ family, set, key, data: "" });
  const ranges = (set: Element["set"], cidrs: Ground["podCidrs"]) =>
    outermost(ofFamily(cidrs, family)).map((range) => make(set, `${range} . original`));
  return [
    ...ground.clusterNodes.filter((ip) => familyOf(ip) === family).map((ip) => make("cluster-nodes", ip)),
    ...ranges("service-ranges", ground.serviceCidrs),
    ...ranges("pod-ranges", ground.podCidrs),
  ];
}
