/** What no service may have: ports that this node, or another one, needs to be a node. */
import type { Ground, Place, ReservedPort, Route, ServiceConfig } from "./model.ts";
import type { Problem } from "./problems.ts";

export type ReservedAt = Pick<ServiceConfig, "reservedPorts" | "reservedElsewhere"> & {
  readonly place: Place;
  readonly ground?: Pick<Ground, "clusterNodes" | "servers">;
};

/** Leaves out what would cut this node off from itself, or it and its pods off from another one. */
export function withoutReserved(
  routes: readonly Route[],
  at: ReservedAt,
): { allowed: readonly Route[]; problems: Problem[] } {
  const allowed: Route[] = [];
  const messages = new Set<string>();
  for (const route of routes) {
    const message = route.isClusterIp ? undefined : refusal(route, at);
    if (message === undefined) allowed.push(route);
    else messages.add(message);
  }
  return { allowed, problems: [...messages].map((message) => ({ reason: "PortReserved", message })) };
}

function refusal({ frontend }: Route, at: ReservedAt): string | undefined {
  const { ip, protocol, port } = frontend;
  const { place, ground, reservedPorts = [], reservedElsewhere = [] } = at;
  const isThis = (one: ReservedPort) => one.protocol === protocol && one.port === port;
  if ([place.localIps, place.nodeIps, place.loopbackIps ?? []].some((ips) => ips.includes(ip))) {
    const own = reservedPorts.find(isThis);
    return own && `Port ${port}/${protocol} of node ${place.nodeName} is not routed: it is ${own.why}`;
  }
  const other = reservedElsewhere.find((one) => {
    const ips = one.of === "servers" ? ground?.servers : ground?.clusterNodes;
    return isThis(one) && ips?.includes(ip);
  });
  return other && `Port ${port}/${protocol} at ${ip}, a node's address, is not routed: it is ${other.why}`;
}
