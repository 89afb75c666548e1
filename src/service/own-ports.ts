/** Ports of services at addresses that this node may have: where a process of the node could listen too. */
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import type { WaitingSocket } from "#kernel/waiting-socket";
import type { Service } from "#kube/generated/types";
import { isOurs } from "./desired.ts";
import { type Place, PROTOCOLS, type Protocol } from "./model.ts";

/** A port of a service at addresses that this node may have. */
export interface OwnPort {
  readonly service: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly at: { readonly kind: "node-port" } | { readonly kind: "addresses"; readonly ips: readonly Ip[] };
}

/** Those of its ports that are not at addresses of the cluster's own making. */
export function ownPorts(service: Service): readonly OwnPort[] {
  const { metadata, spec, status } = service;
  if (!spec || spec.type === "ExternalName" || spec.clusterIP === "None" || !isOurs(service)) return [];
  const name = `${metadata.namespace}/${metadata.name}`;
  const balanced = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== "Proxy");
  const ips = [...(spec.externalIPs ?? []), ...balanced.flatMap(({ ip }) => ip ?? [])].flatMap((ip) =>
    isIp(ip) ? [parseIp(ip)] : [],
  );
  return (spec.ports ?? []).flatMap(({ protocol: word = "TCP", port, nodePort = 0 }): OwnPort[] => {
    const protocol = word.toLowerCase();
    if (!isProtocol(protocol)) return [];
    const common = { service: name, protocol };
    return [
      ...(nodePort > 0 ? [{ ...common, port: nodePort, at: { kind: "node-port" } } as const] : []),
      ...(ips.length > 0 ? [{ ...common, port, at: { kind: "addresses", ips } } as const] : []),
    ];
  });
}

function isProtocol(word: string): word is Protocol {
  return Object.hasOwn(PROTOCOLS, word);
}

/** The first address where a packet for the socket would go to the service. */
export function sharedAddress(
  { at }: OwnPort,
  { ip, family, isDual }: Pick<WaitingSocket, "ip" | "family" | "isDual">,
  place: Place,
): Ip | undefined {
  const nodePorts = () => [...place.nodePortIps, ...(place.loopbackIps ?? [])];
  const ips = at.kind === "node-port" ? nodePorts() : at.ips.filter((own) => place.localIps.includes(own));
  const isAny = ip === "0.0.0.0" || ip === "::";
  return ips.find((own) => (isAny ? familyOf(own) === family || isDual : own === ip));
}

/** By protocol and port, whose they are. */
export class OwnPortIndex {
  readonly #byPort = new Map<string, Map<string, OwnPort>>();
  readonly #ofService = new Map<string, readonly OwnPort[]>();

  at(protocol: Protocol, port: number): Iterable<OwnPort> {
    return this.#byPort.get(`${protocol} ${port}`)?.values() ?? [];
  }

  /** @returns whether they are others than before */
  put(service: string, ports: readonly OwnPort[]): boolean {
    const before = this.#ofService.get(service) ?? [];
    if (JSON.stringify(before) === JSON.stringify(ports)) return false;
    for (const { protocol, port } of before) {
      const key = `${protocol} ${port}`;
      const of = this.#byPort.get(key);
      of?.delete(service);
      if (of?.size === 0) this.#byPort.delete(key);
    }
    if (ports.length === 0) this.#ofService.delete(service);
    else this.#ofService.set(service, ports);
    for (const each of ports) {
      const key = `${each.protocol} ${each.port}`;
      const of = this.#byPort.get(key) ?? new Map<string, OwnPort>();
      this.#byPort.set(key, of.set(service, each));
    }
    return true;
  }
}
