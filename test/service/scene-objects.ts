/** A scene of the table as the API's objects, and its words as addresses and ports. */
import { FAMILIES, type Family } from "#addr/family";
import { type Ip, parseIp } from "#addr/ip";
import type { Endpoint, EndpointSlice, Node, Service, ServicePort } from "#kube/generated/types";
import { nodeObject, translate } from "#service/testing/objects";
import {
  ENDPOINTS,
  type EndpointName,
  NODE,
  OTHER_NODE,
  OTHER_TARGET_PORT,
  type Protocol,
  type Scene,
  TARGET_PORT,
  type To,
  ZONE,
} from "./cases.ts";

export const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "sctp"];

/** Where a scene's frontends are, in IPv4 words; `index` is its place in the setting. */
export function placeOf(scene: Scene, index: number) {
  return {
    cluster: scene.service.clusterIP ?? `10.43.0.${10 + index}`,
    vip: `192.168.7.${10 + index}`,
    external: `192.168.6.${10 + index}`,
    port: scene.service.ports?.[0]?.port ?? 8_100 + index,
    nodePort: 30_000 + index,
  };
}

/** Where `to` is: `nodeport@192.168.4.1` is that address and the scene's node port. */
export function targetOf(scene: Scene, index: number, to: To, family: Family): { ip: Ip; port: number } {
  const place = placeOf(scene, index);
  const [way = "", address] = to.split("@");
  const [name = "", ownPort] = way.split(":");
  const text =
    address ??
    (name === "nodeport"
      ? NODE.internal
      : name === "cluster" || name === "vip" || name === "external"
        ? place[name]
        : "");
  const port = ownPort === undefined ? (name === "nodeport" ? place.nodePort : place.port) : Number(ownPort);
  return { ip: addressIn(text, family), port };
}

export function addressIn(text: string, family: Family): Ip {
  if (text === "LOOPBACK") return parseIp(family === 4 ? "127.0.0.1" : "::1");
  return parseIp(translate(text, family));
}

/** The Service, of both families. */
export function sceneService(scene: Scene, index: number): Service {
  const place = placeOf(scene, index);
  const { labels, annotations, ingress, ports = allPorts(place.port), createdAt, ...spec } = scene.service;
  const both = (text: string) => FAMILIES.map((family) => translate(text, family));
  const isNamed = spec.type === "ExternalName";
  const clusterIPs = isNamed ? [] : both(place.cluster);
  const withNodePort =
    ["NodePort", "LoadBalancer"].includes(spec.type ?? "") && spec.allocateLoadBalancerNodePorts !== false;
  return {
    metadata: {
      name: scene.name,
      namespace: "default",
      uid: scene.name,
      creationTimestamp: createdAt ?? "2026-01-01T00:00:00Z",
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    spec: {
      ...spec,
      ...(isNamed ? { externalName: "example.com" } : { clusterIP: clusterIPs[0] ?? "", clusterIPs }),
      ...(spec.externalIPs ? { externalIPs: both(place.external) } : {}),
      ...(spec.loadBalancerSourceRanges
        ? { loadBalancerSourceRanges: [...new Set(spec.loadBalancerSourceRanges.flatMap(both))] }
        : {}),
      ports: ports.map((port) => (withNodePort ? { nodePort: place.nodePort, ...port } : port)),
    },
    ...(ingress === undefined
      ? {}
      : { status: { loadBalancer: { ingress: ingressOf(ingress, both(place.vip), both) } } }),
  };
}

function ingressOf(
  ingress: NonNullable<Scene["service"]["ingress"]>,
  vips: readonly string[],
  both: (text: string) => readonly string[],
) {
  if (ingress === "hostname") return [{ hostname: "lb.example.com" }];
  if (ingress === "VIP" || ingress === "Proxy") return vips.map((ip) => ({ ip, ipMode: ingress }));
  return ingress.flatMap(both).map((ip) => ({ ip }));
}

function allPorts(port: number): readonly ServicePort[] {
  return PROTOCOLS.map((protocol) => ({ name: protocol, port, protocol: protocol.toUpperCase() }));
}

/** Its EndpointSlices: one for each family, and for each port endpoints have. */
export function sceneSlices(scene: Scene): readonly EndpointSlice[] {
  const named = scene.service.ports ?? allPorts(0);
  const words = scene.endpoints.split(" ").filter((word) => word !== "");
  const numbers = new Set([TARGET_PORT, OTHER_TARGET_PORT]);
  return FAMILIES.flatMap((family) =>
    [...numbers].map((number) => ({
      metadata: {
        name: `${scene.name}-${family}-${number}`,
        namespace: "default",
        labels: { "kubernetes.io/service-name": scene.name },
      },
      addressType: `IPv${family}`,
      ports: named.map(({ name = "", protocol = "TCP" }) => ({ name, protocol, port: number })),
      endpoints: words.filter((word) => portOf(word) === number).map((word) => endpointOf(word, family)),
    })),
  );
}

function portOf(word: string): number {
  return Number(/:(\d+)/.exec(word)?.[1] ?? TARGET_PORT);
}

/** `a@z1%here~`: the endpoint named a, hinted for a zone and a node, leaving. */
export function endpointOf(word: string, family: Family): Endpoint {
  const [, name = "", zone, node, state] = /^(\w)(?:@(\w+))?(?:%(\w+))?(?::\d+)?([~!]?)$/.exec(word) ?? [];
  const place = Object.hasOwn(ENDPOINTS, name) ? ENDPOINTS[name as EndpointName] : undefined;
  if (!place) throw new Error(`no endpoint is named "${word}"`);
  return {
    addresses: [translate(place.ip, family)],
    nodeName: place.nodeName,
    conditions: { ready: state === "", serving: state !== "!", terminating: state === "~" },
    ...(zone === undefined && node === undefined
      ? {}
      : {
          hints: {
            ...(zone === undefined ? {} : { forZones: [{ name: zone }] }),
            ...(node === undefined ? {} : { forNodes: [{ name: node }] }),
          },
        }),
  };
}

/** Both Nodes of the cluster. */
export function sceneNodes(): readonly Node[] {
  const both = (text: string) => FAMILIES.map((family) => translate(text, family));
  return [
    nodeObject({
      name: "here",
      internalIps: both(NODE.internal),
      externalIps: both(NODE.external),
      podCidrs: ["10.42.0.0/24", "fd42::/64"],
      zone: ZONE,
    }),
    nodeObject({
      name: "there",
      internalIps: both(OTHER_NODE),
      podCidrs: ["10.42.1.0/24", "fd42:0:0:1::/64"],
    }),
  ];
}
