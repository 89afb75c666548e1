import { type Ip, isIp, parseIp } from "#addr/ip";
import type { Endpoint, EndpointSlice, Service } from "#kube/generated/types";

export interface NamedPort {
  readonly name: string;
  /** -1: the object names no ports at all, so it has addresses but nothing for SRV. */
  readonly port: number;
  /** Lower case. */
  readonly protocol: string;
}

export interface Backend {
  /** The label in front of the service's name. */
  readonly label: string;
  readonly ip: Ip;
  readonly ports: readonly NamedPort[];
}

export type Exposure =
  | { readonly kind: "cluster"; readonly ips: readonly Ip[] }
  | { readonly kind: "headless" }
  | { readonly kind: "external"; readonly target: string };

/** All that DNS says about one service. */
export interface ServiceFacts {
  readonly namespace: string;
  readonly name: string;
  readonly exposure: Exposure;
  readonly ports: readonly NamedPort[];
  readonly backends: readonly Backend[];
}

const NO_PORTS: readonly NamedPort[] = [{ name: "", port: -1, protocol: "" }];
const MAX_LABEL = 63;

/** What DNS says about a service, from the service and its slices. Pure. */
export function serviceFacts(
  service: Service,
  slices: readonly EndpointSlice[],
  { usesPodNames }: { usesPodNames: boolean },
): ServiceFacts {
  const ports = (service.spec?.ports ?? []).map(({ name = "", port, protocol = "TCP" }) => ({
    name: name.toLowerCase(),
    port,
    protocol: protocol.toLowerCase(),
  }));
  return {
    namespace: service.metadata.namespace ?? "",
    name: service.metadata.name ?? "",
    exposure: exposureOf(service),
    ports: ports.length === 0 ? NO_PORTS : ports,
    backends: slices.flatMap((slice) => backendsOf(slice, usesPodNames)),
  };
}

function exposureOf({ spec }: Service): Exposure {
  if (spec?.type === "ExternalName") return { kind: "external", target: spec.externalName ?? "" };
  const texts = spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? ""];
  if (texts[0] === "None") return { kind: "headless" };
  return { kind: "cluster", ips: texts.filter((text) => isIp(text)).map(parseIp) };
}

function backendsOf({ addressType, endpoints, ports }: EndpointSlice, usesPodNames: boolean): Backend[] {
  if (addressType === "FQDN") return [];
  const named = (ports ?? []).map(({ name = "", port = -1, protocol = "TCP" }) => ({
    name: name.toLowerCase(),
    port,
    protocol: protocol.toLowerCase(),
  }));
  const open = named.length === 0 ? NO_PORTS : named;
  return (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready ?? true)
    .flatMap((endpoint) =>
      endpoint.addresses
        .filter((text) => isIp(text))
        .map((text) => {
          const ip = parseIp(text);
          return { label: labelOf(endpoint, ip, usesPodNames), ip, ports: open };
        }),
    );
}

/** The endpoint's host name; else the pod's name where asked for and short enough; else its address with dashes. */
function labelOf({ hostname, targetRef }: Endpoint, ip: Ip, usesPodNames: boolean): string {
  if (hostname) return hostname.toLowerCase();
  const podName = targetRef?.name ?? "";
  if (usesPodNames && podName !== "" && podName.length <= MAX_LABEL) return podName;
  const dashed = ip.replace(/[.:]/g, "-");
  return dashed.endsWith("-") ? `${dashed}0` : dashed;
}
