import type { Node } from "#kube/generated/types";
import { isNodeReady } from "./health.ts";

const NORMAL_PER_SECOND = 0.1;
const SLOW_PER_SECOND = 0.01;
const UNHEALTHY_SHARE = 0.55;
const LARGE = 50;

/** How many nodes a second may start losing their pods in a zone with those counts. When most of a zone looks down, it is more
 *  likely that we are cut off. */
export function evictionRate(total: number, notReady: number): number {
  if (notReady > 2 && notReady / total >= UNHEALTHY_SHARE && notReady < total)
    return total > LARGE ? SLOW_PER_SECOND : 0;
  return NORMAL_PER_SECOND;
}

/** Region and zone of a node; nodes without labels share one. */
export function zoneOf({ metadata }: Node): string {
  const { labels } = metadata;
  return `${labels?.["topology.kubernetes.io/region"] ?? ""}/${labels?.["topology.kubernetes.io/zone"] ?? ""}`;
}

/** Nodes that come and go on purpose say nothing about the health of their zone. */
function isExcluded({ metadata }: Node): boolean {
  return metadata.labels?.["node.kubernetes.io/exclude-disruption"] !== undefined;
}

/** Lets nodes lose their pods one after the other in each zone, and none while no node at all is ready. */
export class EvictionGate {
  readonly #last = new Map<string, number>();

  /** True at most as often as the node's zone allows. */
  admits(node: Node, all: readonly Node[], now: number): boolean {
    if (!all.some(isNodeReady)) return false;
    const zone = zoneOf(node);
    const peers = all.filter((other) => zoneOf(other) === zone && !isExcluded(other));
    const rate = evictionRate(peers.length, peers.filter((other) => !isNodeReady(other)).length);
    const last = this.#last.get(zone);
    if (rate === 0 || (last !== undefined && now - last < 1000 / rate)) return false;
    this.#last.set(zone, now);
    return true;
  }
}
