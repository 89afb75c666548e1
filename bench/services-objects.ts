/** Services and their slices by number, as many and as large as a bench asks for. */
import type { EndpointSlice, Service } from "#kube/generated/types";
import { serviceObject, sliceObject } from "#service/testing/objects";

export interface Shape {
  readonly services: number;
  readonly endpoints: number;
  /** How many of them have a NodePort. */
  readonly nodePorts?: number;
}

/** The service that packets are sent to: its endpoints are one pod's ports. */
export const PROBE = {
  name: "probe",
  clusterIP: "10.43.250.250",
  port: 80,
  podIp: "10.42.0.3",
  podPort: 8080,
};
const FIRST_NODE_PORT = 30_000;

export function serviceOf(i: number, { nodePorts = 0 }: Shape): Service {
  const exposed = i < nodePorts ? { nodePort: FIRST_NODE_PORT + i } : {};
  return serviceObject({
    name: `s${i}`,
    clusterIP: clusterIp(i),
    type: i < nodePorts ? "NodePort" : "ClusterIP",
    ports: [{ port: 80, protocol: "TCP", ...exposed }],
  });
}

/** One of the endpoints differs with each version. */
export function sliceOf(i: number, { endpoints }: Shape, version = 0): EndpointSlice {
  const ips = backends(i, endpoints, version);
  return sliceObject({ service: `s${i}`, endpoints: ips.map((ip) => ({ ip, ...AS_CONTROLLERS_SAY })) });
}

const AS_CONTROLLERS_SAY = {
  nodeName: "there",
  conditions: { ready: true, serving: true, terminating: false },
};

export function probeService(): Service {
  return serviceObject({
    name: PROBE.name,
    clusterIP: PROBE.clusterIP,
    ports: [
      { name: "tcp", port: PROBE.port, protocol: "TCP" },
      { name: "udp", port: PROBE.port, protocol: "UDP" },
    ],
  });
}

export function probeSlice(): EndpointSlice {
  const ports = (["TCP", "UDP"] as const).map((protocol) => ({
    name: protocol.toLowerCase(),
    port: PROBE.podPort,
    protocol,
  }));
  const endpoints = [{ ip: PROBE.podIp, ...AS_CONTROLLERS_SAY }];
  return sliceObject({ service: PROBE.name, ports, endpoints });
}

export function clusterIp(i: number): string {
  return `10.43.${(i >> 8) + 1}.${i & 255}`;
}

/** Addresses of their own for each service; the last one differs with each version. */
export function backends(i: number, endpoints: number, version = 0): string[] {
  return Array.from({ length: endpoints }, (_, n) =>
    n === endpoints - 1 && version > 0 ? address(200, version) : address(100, i * endpoints + n),
  );
}

function address(net: number, number: number): string {
  return `10.${net + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
