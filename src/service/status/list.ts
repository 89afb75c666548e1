/** The services as a node routes them, those with problems first. */
import type { EndpointSlice, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { whyNotRouted } from "../explain/notes.ts";
import { readyEndpoints } from "../explain/ready-endpoints.ts";
import type { ServiceProblem } from "../problems.ts";
import type { ListAnswer, ListedService } from "./model.ts";

const MOST_SERVICES = 20_000;
const MOST_ADDRESSES = 16;

export interface ListInput {
  readonly services: Informer<Service>;
  /** By `namespace/name`. */
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly problems: readonly ServiceProblem[];
  readonly nodeName: string;
}

export function listServices(input: ListInput): Pick<ListAnswer, "services" | "serviceCount"> {
  const counts = new Map<string, number>();
  for (const { service } of input.problems) counts.set(service, (counts.get(service) ?? 0) + 1);
  const all = input.services.list();
  const listed = all.map((service) => listedService(service, counts, input));
  listed.sort((a, b) => Math.sign(b.problems) - Math.sign(a.problems) || (a.service < b.service ? -1 : 1));
  return { services: listed.slice(0, MOST_SERVICES), serviceCount: all.length };
}

function listedService(
  service: Service,
  problems: ReadonlyMap<string, number>,
  { slices, nodeName }: ListInput,
): ListedService {
  const { metadata, spec, status } = service;
  const name = `${metadata.namespace}/${metadata.name}`;
  const ready = readyEndpoints(slices.get(name) ?? []);
  const ingress = spec?.type === "LoadBalancer" ? (status?.loadBalancer?.ingress ?? []) : [];
  return {
    service: name,
    type: spec?.type ?? "ClusterIP",
    clusterIps: spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []),
    addresses: [
      ...ingress.flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
      ...(spec?.externalIPs ?? []),
    ].slice(0, MOST_ADDRESSES),
    ports: (spec?.ports ?? [])
      .slice(0, MOST_ADDRESSES)
      .map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol ?? "TCP"}`),
    ready: ready.size,
    readyHere: [...ready.values()].filter((node) => node === nodeName).length,
    externalTrafficPolicy: spec?.externalTrafficPolicy ?? "Cluster",
    notRouted: whyNotRouted(service) ?? null,
    problems: problems.get(name) ?? 0,
  };
}
