/** Packets for pods of a node that there is no way to. Without a route of their own they would follow the default route, out of the
 *  machine: translated, and in clear even where all else is encrypted. */
import { type Cidr, cidrFamily, containsIp } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { CLAIMS } from "#kernel/claims";
import type { Netlink, Route, RouteSpec } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import type { FabricConfig, FabricSnapshot, Ground } from "./model.ts";

/** Any route that somebody else has to the same network wins; those to peers do by being narrower. */
const LAST_METRIC = 0x7fff_fff0;

/** The cluster's pod networks that end here, but for the subnets that have a route. With host-gw a router may know others, and
 *  a network that this machine itself is in holds more than pods. */
export function desiredDeadEnds(
  { lease }: Pick<FabricSnapshot, "lease">,
  { underlays }: Pick<Ground, "underlays">,
  { backend, clusterCidrs }: Pick<FabricConfig, "backend" | "clusterCidrs">,
): ReadonlySet<Cidr> {
  if (backend.kind === "host-gw") return new Set();
  return new Set(
    clusterCidrs.filter((network) => {
      const family = cidrFamily(network);
      const own = underlays[family]?.local;
      return lease.podCidrs[family] !== undefined && own !== undefined && !containsIp(network, own);
    }),
  );
}

/** Answers with ICMP at once. */
export function deadEndRoute(to: Cidr): RouteSpec {
  const { routeTable: table, routeProtocol: protocol } = CLAIMS;
  return { to, link: 0, kind: "unreachable", metric: LAST_METRIC, table, protocol };
}

/** Whether the route, which is ours, is as we make it. */
export function isDeadEnd({ kind, metric }: Route): boolean {
  return kind === "unreachable" && metric === LAST_METRIC;
}

/** In a cluster that brings its own network pods may be anywhere: those that a fabric left here go.
 *  @throws {NetlinkError} */
export function removeDeadEnds(netlink: Pick<Netlink, "listRoutes" | "deleteRoute">, log: Logger): void {
  for (const route of FAMILIES.flatMap((family) => netlink.listRoutes(family))) {
    if (route.protocol !== CLAIMS.routeProtocol || !isDeadEnd(route)) continue;
    netlink.deleteRoute(route);
    log.info("packets to unknown pods are no longer turned back here: the cluster brings its own network", {
      to: route.to,
    });
  }
}
