import type { KubeClient } from "#kube/client";
import type { Endpoint, EndpointSlice, Namespace, Service, ServicePort } from "#kube/generated/types";
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from "#kube/resources";

export interface ClusterObjects {
  readonly namespaces: readonly Namespace[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

/** A small cluster with one of each thing that DNS treats in its own way. */
export const CLUSTER: ClusterObjects = {
  namespaces: ["default", "kube-system"].map((name) => ({ metadata: { name } })),
  services: [
    service("web", ["10.43.0.9"], [
      { name: "http", port: 80, protocol: "TCP" },
      { name: "metrics", port: 9000, protocol: "TCP" },
    ]),
    service("dual", ["10.43.0.20", "fd43::20"], [{ name: "x", port: 80, protocol: "TCP" }]),
    service("portless", ["10.43.0.30"], []),
    service("db", ["None"], [{ name: "pg", port: 5432, protocol: "TCP" }]),
    service("empty", ["None"], [{ name: "pg", port: 5432, protocol: "TCP" }]),
    service("six", ["None"], [{ name: "x", port: 1, protocol: "TCP" }]),
    alias("alias", "web.default.svc.cluster.local"),
    alias("nowhere", "missing.default.svc.cluster.local"),
    alias("literal", "10.1.2.3"),
    alias("circle", "round.default.svc.cluster.local"),
    alias("round", "circle.default.svc.cluster.local"),
  ],
  slices: [
    slice("web", "IPv4", 80, [{ addresses: ["10.42.0.7"], hostname: "web-0" }]),
    slice("db", "IPv4", 5432, [
      { addresses: ["10.42.0.5"], hostname: "db-0", conditions: { ready: true } },
      { addresses: ["10.42.2.5"], conditions: { ready: false } },
    ], "pg"),
    { ...slice("db", "IPv4", 5432, [{ addresses: ["10.42.1.5"] }], "pg"), metadata: sliceMeta("db", "b") },
    slice("empty", "IPv4", 5432, [{ addresses: ["10.42.2.9"], conditions: { ready: false } }], "pg"),
    slice("six", "IPv6", 1, [{ addresses: ["fd42::5"] }]),
  ],
};

export async function loadCluster(client: KubeClient, objects: ClusterObjects): Promise<void> {
  for (const each of objects.namespaces) await client.create(NAMESPACES, each);
  for (const each of objects.services) await client.create(SERVICES, each);
  for (const each of objects.slices) await client.create(ENDPOINT_SLICES, each);
}

function service(name: string, clusterIPs: readonly string[], ports: readonly ServicePort[]): Service {
  return {
    metadata: { name, namespace: "default" },
    spec: { type: "ClusterIP", clusterIP: clusterIPs[0], clusterIPs, ports },
  };
}

function alias(name: string, externalName: string): Service {
  return { metadata: { name, namespace: "default" }, spec: { type: "ExternalName", externalName } };
}

function sliceMeta(service: string, suffix: string): EndpointSlice["metadata"] {
  return {
    name: `${service}-${suffix}`,
    namespace: "default",
    labels: { "kubernetes.io/service-name": service },
  };
}

function slice(
  service: string,
  addressType: string,
  port: number,
  endpoints: readonly Endpoint[],
  name = "http",
): EndpointSlice {
  return { metadata: sliceMeta(service, "a"), addressType, endpoints, ports: [{ name, port, protocol: "TCP" }] };
}
