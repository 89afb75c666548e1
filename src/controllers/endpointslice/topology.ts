import type { Node } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";
import { ZONE } from "./desired.ts";

/** Nodes that do not count as places to serve from. */
const EXCLUDING_LABELS = [
  "node-role.kubernetes.io/control-plane",
  "node-role.kubernetes.io/master",
  "node.kubernetes.io/exclude-from-topology-hints",
];

/** Each zone's share of all processors, or why that cannot be said. */
export type ZoneShares =
  | { readonly kind: "known"; readonly shares: ReadonlyMap<string, number> }
  | { readonly kind: "unknown"; readonly why: string };

/** How much of the cluster each zone is, by the processors of its ready nodes. */
export function topologyOf(nodes: readonly Node[]): ZoneShares {
  const milli = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    if (isExcluded(node) || !isReady(node)) continue;
    const zone = zoneOf(node);
    const cpu = milliOf(node.status?.allocatable?.["cpu"]);
    if (zone === "" || cpu === 0)
      return {
        kind: "unknown",
        why: "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
      };
    milli.set(zone, (milli.get(zone) ?? 0) + cpu);
    total += cpu;
  }
  if (milli.size === 0)
    return {
      kind: "unknown",
      why: "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    };
  if (milli.size < 2) return { kind: "unknown", why: "Nodes only ready in one zone" };
  return { kind: "known", shares: new Map([...milli].map(([zone, cpu]) => [zone, cpu / total])) };
}

/** Tells which changes of a node matter to endpoints. */
export class Topology {
  readonly #seen = new Map<string, { readonly zone: string; readonly weight: string }>();

  observe(
    name: string,
    node: Node | undefined,
  ): { readonly hasMoved: boolean; readonly hasChanged: boolean } {
    const before = this.#seen.get(name);
    if (node === undefined) {
      this.#seen.delete(name);
      return { hasMoved: false, hasChanged: before !== undefined };
    }
    const weight = `${isReady(node)} ${isExcluded(node)} ${node.status?.allocatable?.["cpu"]}`;
    const now = { zone: zoneOf(node), weight };
    this.#seen.set(name, now);
    const hasMoved = before !== undefined && before.zone !== now.zone;
    return { hasMoved, hasChanged: hasMoved || before?.weight !== weight };
  }
}

function isExcluded({ metadata }: Node): boolean {
  return EXCLUDING_LABELS.some((label) => metadata.labels?.[label] !== undefined);
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}

function zoneOf({ metadata }: Node): string {
  return metadata.labels?.[ZONE] ?? "";
}
