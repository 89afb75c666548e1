import type { EndpointSlice, Service } from "#kube/generated/types";
import { routedFamilies } from "../controller.ts";
import { desiredRoutes } from "../desired.ts";
import type { Place, Route, ServiceConfig } from "../model.ts";

export interface RoutedObjects {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly config: ServiceConfig;
}

/** What routing makes of the service at that place, of every family that is routed. */
export function routesAt(place: Place, { service, slices, config }: RoutedObjects): readonly Route[] {
  const { reservedPorts = [] } = config;
  return routedFamilies(config).flatMap(
    (family) => desiredRoutes(service, slices, { family, place, reservedPorts })?.routes ?? [],
  );
}
