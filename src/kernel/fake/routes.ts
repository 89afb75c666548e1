import { addressOf, cidrFamily, containsIp, hostCidr, prefixLength } from "#addr/cidr";
import { familyOf, type Ip } from "#addr/ip";
import { CLAIMS } from "../claims.ts";
import type { Netlink, Route, RouteSpec } from "../kernel.ts";
import { refusal } from "./faults.ts";
import type { FakeNamespace, FakeRoute } from "./namespace.ts";

const LOOPBACK_INDEX = 1;
/** What a route weighs when its maker does not say and how a gateway that nobody can reach is refused. */
const ROW = {
  4: { metric: 0, unreachable: "ENETUNREACH", sentence: "Nexthop has invalid gateway" },
  6: { metric: 1024, unreachable: "EHOSTUNREACH", sentence: undefined },
} as const;

type Routes = Pick<Netlink, "listRoutes" | "replaceRoute" | "deleteRoute" | "lookupRoute">;

export function fakeRoutes(here: FakeNamespace): Routes {
  return {
    listRoutes: (family) => here.routes.filter(({ to }) => cidrFamily(to) === family).map(routeOf),
    replaceRoute(spec) {
      const route = filled(spec);
      check(here, route);
      here.putRoute(route);
    },
    deleteRoute(spec) {
      const first = here.routes.find((standing) => isMeant(spec, standing));
      here.routes = here.routes.filter((standing) => standing !== first);
    },
    lookupRoute(to) {
      if (here.addresses.some(({ address }) => addressOf(address) === to))
        return answerTo(to, { link: LOOPBACK_INDEX, via: undefined, table: CLAIMS.routeTable });
      const best = bestRoute(here, to);
      return best?.kind === undefined ? best && answerTo(to, best) : undefined;
    },
  };
}

function check(here: FakeNamespace, route: FakeRoute): void {
  if (route.kind === "unreachable") return;
  const op = `set route ${route.to}${route.via ? ` via ${route.via}` : ""} on link ${route.link}`;
  if (!here.link(route.link, op).isUp) throw refusal(op, "ENETDOWN", "Device for nexthop is not up");
  if (route.via === undefined) return;
  const { via } = route;
  if (route.onlink) {
    if (familyOf(via) === 6 && isElsewhere(here, via, route.link))
      throw refusal(op, "EINVAL", "Nexthop has invalid gateway or device mismatch");
    return;
  }
  const isOnLink = here.routes.some(
    ({ to, link, via: further }) => link === route.link && !further && containsIp(to, via),
  );
  const row = ROW[familyOf(via)];
  if (!isOnLink) throw refusal(op, row.unreachable, row.sentence);
}

/** IPv6 does not take a gateway as on the link while a route of its own, other than the default one, leads by another. */
function isElsewhere(here: FakeNamespace, via: Ip, link: number): boolean {
  const standing = bestRoute(here, via);
  return standing !== undefined && prefixLength(standing.to) > 0 && standing.link !== link;
}

function bestRoute(here: FakeNamespace, to: Ip): FakeRoute | undefined {
  return here.routes
    .filter((route) => route.table === CLAIMS.routeTable && containsIp(route.to, to))
    .toSorted((a, b) => prefixLength(b.to) - prefixLength(a.to) || a.metric - b.metric)[0];
}

function answerTo(to: Ip, { link, via, table }: Pick<Route, "link" | "via" | "table">): Route {
  return { to: hostCidr(to), via, link, onlink: false, table, protocol: 0 };
}

function filled(spec: RouteSpec): FakeRoute {
  return {
    via: undefined,
    onlink: false,
    table: CLAIMS.routeTable,
    protocol: CLAIMS.routeProtocol,
    ...spec,
    metric: spec.metric ?? ROW[cidrFamily(spec.to)].metric,
  };
}

function isMeant(spec: RouteSpec, { to, link, via, table, protocol, metric, kind }: FakeRoute): boolean {
  return (
    spec.to === to &&
    spec.link === link &&
    (spec.table ?? CLAIMS.routeTable) === table &&
    (spec.via === undefined || spec.via === via) &&
    (spec.protocol === undefined || spec.protocol === protocol) &&
    (spec.metric === undefined || spec.metric === metric) &&
    (spec.kind === undefined || spec.kind === kind)
  );
}

function routeOf({ metric, ...route }: FakeRoute): Route {
  return metric === ROW[cidrFamily(route.to)].metric ? route : { ...route, metric };
}
