/** Services and slices for tests, written for IPv4 and translated to IPv6 with the same low digits. */
import type { Family } from "#addr/family";
import type { Endpoint, EndpointSlice, Node, Service, ServicePort, ServiceSpec } from "#kube/generated/types";

/** `10.43.0.7` becomes `fd43::7`, `10.42.1.2` becomes `fd42:0:0:1::2`, `192.168.9.1` becomes `fd92:9::1`. */
export function translate(text: string, family: Family): string {
  if (family === 4) return text;
  return text
    .replace(/\b10\.43\.0\.0\/16/g, "fd43::/112")
    .replace(/\b10\.42\.0\.0\/16/g, "fd42::/56")
    .replace(/\b10\.43\.0\.(\d+)/g, "fd43::$1")
    .replace(/\b10\.42\.0\.(\d+)/g, "fd42::$1")
    .replace(/\b10\.42\.([1-9]\d*)\.(\d+)/g, "fd42:0:0:$1::$2")
    .replace(/\b192\.168\.(\d+)\.0\/24/g, "fd92:$1::/64")
    .replace(/\b192\.168\.(\d+)\.(\d+)/g, "fd92:$1::$2");
}

export interface ServiceShape extends Partial<ServiceSpec> {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly createdAt?: string;
  readonly ingress?: readonly {
    readonly ip?: string;
    readonly ipMode?: string;
    readonly hostname?: string;
  }[];
}

export function serviceObject(shape: ServiceShape, family: Family = 4): Service {
  const { name = "web", labels, annotations, createdAt = "2026-01-01T00:00:00Z", ingress, ...spec } = shape;
  const ports: readonly ServicePort[] = spec.ports ?? [{ port: 80 }];
  const service: Service = {
    metadata: {
      name,
      namespace: "default",
      creationTimestamp: createdAt,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    spec: { clusterIP: "10.43.0.7", ...spec, ports },
    ...(ingress ? { status: { loadBalancer: { ingress } } } : {}),
  };
  return JSON.parse(translate(JSON.stringify(service), family)) as Service;
}

export interface EndpointShape extends Omit<Endpoint, "addresses"> {
  readonly ip: string;
}

export interface SliceShape {
  readonly service?: string;
  readonly name?: string;
  readonly ports?: EndpointSlice["ports"];
  readonly endpoints: readonly EndpointShape[];
}

export function sliceObject(shape: SliceShape, family: Family = 4): EndpointSlice {
  const {
    service = "web",
    name = `${service}-${family}`,
    ports = [{ name: "", port: 8080, protocol: "TCP" }],
  } = shape;
  const slice: EndpointSlice = {
    metadata: { name, namespace: "default", labels: { "kubernetes.io/service-name": service } },
    addressType: `IPv${family}`,
    ports,
    endpoints: shape.endpoints.map(({ ip, ...rest }) => ({ addresses: [ip], ...rest })),
  };
  return JSON.parse(translate(JSON.stringify(slice), family)) as EndpointSlice;
}

export interface NodeShape {
  readonly name?: string;
  readonly internalIps?: readonly string[];
  readonly externalIps?: readonly string[];
  readonly podCidrs?: readonly string[];
  readonly zone?: string;
}

/** Addresses are taken as they are: a node has those of both families. */
export function nodeObject(shape: NodeShape = {}): Node {
  const { name = "here", internalIps = [], externalIps = [], podCidrs, zone } = shape;
  return {
    metadata: { name, ...(zone === undefined ? {} : { labels: { "topology.kubernetes.io/zone": zone } }) },
    spec: podCidrs ? { podCIDRs: podCidrs } : {},
    status: {
      addresses: [
        ...internalIps.map((address) => ({ type: "InternalIP", address })),
        ...externalIps.map((address) => ({ type: "ExternalIP", address })),
      ],
    },
  };
}
