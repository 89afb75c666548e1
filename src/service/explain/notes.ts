/** What besides the routing decides which address is seen: whatever stands before us, or was there before a change. */
import { containsIp } from "#addr/cidr";
import { type Ip, isIp, parseIp } from "#addr/ip";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { ServiceConfig } from "../model.ts";
import { nodeIpsOf } from "../surroundings.ts";
import type { Note } from "./model.ts";

const PROXY_NAME = "service.kubernetes.io/service-proxy-name";
const HEADLESS = "service.kubernetes.io/headless";
const MOST_LISTED = 4;

export interface NotesInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly config: ServiceConfig;
}

/** Why Twill routes nothing of the service; undefined where it does. */
export function whyNotRouted({ metadata, spec }: Service): string | undefined {
  const proxy = metadata.labels?.[PROXY_NAME];
  if (proxy !== undefined)
    return `It is labelled ${PROXY_NAME}=${proxy}: another proxy routes it, and decides what its pods see.`;
  if (spec?.type === "ExternalName")
    return `It is of type ExternalName: its name leads to ${spec.externalName ?? "another one"}, and packets go there directly.`;
  if (metadata.labels?.[HEADLESS] !== undefined || spec?.clusterIP === "None")
    return "It is headless: its name leads to the pods' own addresses, so they see whoever connects; a client outside the pods' networks is masqueraded by no Service.";
  if (!spec?.clusterIP && !spec?.clusterIPs?.length) return "It has no ClusterIP yet.";
  return undefined;
}

export function notesOf(input: NotesInput): readonly Note[] {
  const { service } = input;
  const isRouted = whyNotRouted(service) === undefined;
  return [
    ...(isRouted ? [...balancerNotes(input), ...hairpinNote(), ...outsiderNote(input)] : []),
    ...proxyNote(service),
    ...beforeUsNote(service),
    ...(isRouted ? OLD : []),
  ];
}

const OLD: readonly Note[] = [
  {
    about: "old connections",
    text: "A change holds for connections that begin after it: one that stands keeps its endpoint and the address that its pod sees until it ends. Clients that keep connections open have to reconnect.",
  },
];

function balancerNotes({ service, nodes }: NotesInput): readonly Note[] {
  const { spec, status } = service;
  if (spec?.type !== "LoadBalancer") return [];
  const ingress = status?.loadBalancer?.ingress ?? [];
  const others = ingress.filter(({ ipMode }) => ipMode === "Proxy").flatMap(({ ip }) => ip ?? []);
  const names = ingress.flatMap(({ hostname }) => hostname ?? []);
  const notes: Note[] = [];
  if (ingress.length === 0)
    notes.push({
      about: "load balancer",
      text: "It has no load balancer's address yet (status.loadBalancer is empty).",
    });
  if (others.length > 0)
    notes.push({
      about: "load balancer (ipMode Proxy)",
      text: `${listed(others)}: the load balancer wants to see every packet, so nodes and pods send to it and translate nothing. It opens connections of its own, so pods see its address, or the node's where it uses a node port. Have it send the PROXY protocol or X-Forwarded-For, and have the application read that.`,
    });
  if (names.length > 0)
    notes.push({
      about: "load balancer (by name)",
      text: `${listed(names)}: names are not translated; what is seen is up to the load balancer behind that name.`,
    });
  if (spec.loadBalancerClass !== undefined)
    notes.push({
      about: "load balancer (class)",
      text: `loadBalancerClass is ${spec.loadBalancerClass}: that one, not ServiceLB, gives the addresses and brings packets to nodes. If it forwards packets as they are (MetalLB), the table above holds; if it opens connections of its own or masquerades, pods see it.`,
    });
  else notes.push(...serviceLbNote(service, nodes));
  return notes;
}

/** An address of a node that the Service's status does not name is answered by the svclb pod. */
function serviceLbNote(service: Service, nodes: readonly Node[]): readonly Note[] {
  const told = new Set((service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []));
  const all = nodes.flatMap(nodeIpsOf);
  const isLocal = service.spec?.externalTrafficPolicy === "Local";
  if (told.size === 0 || !all.some((ip) => told.has(ip))) return [];
  return [
    {
      about: "svclb pods",
      text: `A packet to a node, at the Service's port, whose destination is neither in status.loadBalancer nor an address that this Node tells of itself (behind 1:1 address translation, where the cloud rewrites it) is taken by the svclb pod on that node, and the pods see that pod's address.${isLocal ? " So is a packet to a node without an endpoint, which is not in the status." : ""} Give the node its addresses: --node-ip and --node-external-ip.`,
    },
  ];
}

function hairpinNote(): readonly Note[] {
  return [
    {
      about: "a pod that reaches itself",
      text: "A pod that is an endpoint and is led to itself by its own Service sees its node's address: it would answer itself directly otherwise, and the connection would never stand. No setting changes that.",
    },
  ];
}

/** Endpoints that are no pods of the pods' network: the fabric gives packets that leave it the node's address. */
function outsiderNote({ slices, config }: NotesInput): readonly Note[] {
  const { localPods } = config;
  if (localPods.kind !== "cidrs" || localPods.cidrs.length === 0) return [];
  const outsiders = endpointIps(slices).filter((ip) => !localPods.cidrs.some((cidr) => containsIp(cidr, ip)));
  if (outsiders.length === 0) return [];
  return [
    {
      about: "endpoints outside the pods' networks",
      text: `${listed(outsiders)}: on the host's network, or no pods at all. What leaves the pods' network is masqueraded by the fabric, so such an endpoint on another machine sees the node of a client pod, not the pod.`,
    },
  ];
}

function endpointIps(slices: readonly EndpointSlice[]): readonly Ip[] {
  const texts = slices.flatMap(({ addressType, endpoints }) =>
    addressType === "FQDN" ? [] : (endpoints ?? []).flatMap(({ addresses }) => addresses[0] ?? []),
  );
  return [...new Set(texts.filter(isIp).map(parseIp))];
}

function proxyNote({ spec }: Service): readonly Note[] {
  const isInside = (spec?.type ?? "ClusterIP") === "ClusterIP" && !spec?.externalIPs?.length;
  const text = isInside
    ? "Clients from outside reach this Service only through something else, such as an ingress (Traefik): that one opens a connection of its own, so the pods see its pod's address, and the client's is in the header X-Forwarded-For or X-Real-IP. Ask why for the Service of the ingress instead (kube-system/traefik): the header holds what the ingress has seen."
    : "If the endpoints are a proxy such as Traefik, the application behind it sees the proxy's address, and the client's in the header X-Forwarded-For or X-Real-IP, as far as the proxy was told which proxies before it to trust.";
  return [{ about: "HTTP proxies", text }];
}

function beforeUsNote({ spec }: Service): readonly Note[] {
  if ((spec?.type ?? "ClusterIP") === "ClusterIP" && !spec?.externalIPs?.length) return [];
  return [
    {
      about: "before the node",
      text: "An address that was translated before the packet came here (a router that hides its network or loops it back, a cloud's gateway, a VPN, docker-proxy or another userspace relay) cannot be had back: the table CONNECTIONS shows what arrives. If that is not the client, look there.",
    },
  ];
}

function listed(texts: readonly string[]): string {
  const shown = texts.slice(0, MOST_LISTED).join(", ");
  return texts.length > MOST_LISTED ? `${shown} and ${texts.length - MOST_LISTED} more` : shown;
}
