import { type Place, PROTOCOLS, type Protocol } from "../model.ts";
import type { ServiceFrontends } from "../status/connections.ts";
import { type RoutedObjects, routesAt } from "./routes.ts";

/** Where clients may send to reach the service at this place: its frontends, and what a svclb pod's host port may take. */
export function frontendsOf(place: Place, objects: RoutedObjects): ServiceFrontends {
  const routes = routesAt(place, objects);
  const { service } = objects;
  const { type, ports = [] } = service.spec ?? {};
  const hostPorts =
    type === "LoadBalancer" ? ports.flatMap(({ protocol, port }) => portOf(protocol, port)) : [];
  return { frontends: routes.map(({ frontend }) => frontend), localIps: place.localIps, hostPorts };
}

function portOf(text: string | undefined, port: number): { protocol: Protocol; port: number }[] {
  const protocol = (Object.keys(PROTOCOLS) as Protocol[]).find(
    (each) => each === (text ?? "TCP").toLowerCase(),
  );
  return protocol === undefined ? [] : [{ protocol, port }];
}
