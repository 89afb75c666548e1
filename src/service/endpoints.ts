/** EndpointSlices of one service to the endpoints of one of its ports, and those to the sets traffic policies choose from. */

import { containsIp, parseCidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import {
  familyOf,
  formatEndpoint,
  type Ip,
  isIp,
  isLinkLocal,
  isLoopback,
  isMulticast,
  parseIp,
} from "#addr/ip";
import type { Endpoint, EndpointSlice } from "#kube/generated/types";
import { type Backend, type Place, type Protocol, udpKey } from "./model.ts";

/** This host on this network; no address at all; and IPv4 written as IPv6, which no packet carries. */
const UNREACHABLE = ["0.0.0.0/8", "::/128", "::ffff:0:0/96"].map((text) => parseCidr(text));
const BROADCAST = "255.255.255.255";

/** A service port's endpoints, sorted: equal inputs give equal numbers. */
export interface PortBackends {
  readonly all: readonly Backend[];
  /** Who may answer: ready, or serving while they terminate. As `udpKey`. */
  readonly serving: ReadonlySet<string>;
  /** Addresses that nothing can be sent to from here. */
  readonly ignored: ReadonlySet<Ip>;
}

export interface BackendSets {
  /** For policy Cluster: ready ones near enough; where no endpoint is ready, the leaving ones. */
  readonly cluster: readonly Backend[];
  /** For policy Local: the same on this node, topology disregarded. */
  readonly local: readonly Backend[];
  readonly hasAny: boolean;
}

/** Endpoints for a port name and protocol, each address and port once; a copy known to be on this node wins. */
export function portBackends(
  slices: readonly EndpointSlice[],
  port: { name: string; protocol: Protocol },
  { family, place }: { family: Family; place: Place },
): PortBackends {
  const found = new Map<string, Backend>();
  const serving = new Set<string>();
  const ignored = new Set<Ip>();
  for (const slice of slices) {
    if (slice.addressType !== `IPv${family}`) continue;
    const number = slicePort(slice, port);
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const backend = backendOf(endpoint, number, family, place);
      if (backend === undefined) continue;
      if (!isReachable(backend.ip)) {
        ignored.add(backend.ip);
        continue;
      }
      const key = formatEndpoint(backend.ip, backend.port);
      if (!found.has(key) || backend.isLocal) found.set(key, backend);
      if (backend.isReady || backend.isLeaving) serving.add(udpKey(backend.ip, backend.port));
    }
  }
  const keys = [...found.keys()].sort();
  return { all: keys.flatMap((key) => found.get(key) ?? []), serving, ignored };
}

/** @see kube-proxy's CategorizeEndpoints */
export function chooseSets(all: readonly Backend[], place: Place): BackendSets {
  const ready = all.filter((backend) => backend.isReady);
  const leaving = all.filter((backend) => backend.isLeaving);
  const localReady = ready.filter((backend) => backend.isLocal);
  return {
    cluster: ready.length > 0 ? nearest(ready, place) : leaving,
    local: localReady.length > 0 ? localReady : leaving.filter((backend) => backend.isLocal),
    hasAny: ready.length + leaving.length > 0,
  };
}

/** Those hinted for this node, else for its zone; a level counts only if every endpoint has a hint and one names us. */
function nearest(ready: readonly Backend[], { nodeName, zone }: Place): readonly Backend[] {
  const sameNode = ready.filter(({ hints }) => hints.nodes.includes(nodeName));
  if (sameNode.length > 0 && ready.every(({ hints }) => hints.nodes.length > 0)) return sameNode;
  const sameZone = ready.filter(({ hints }) => zone !== undefined && hints.zones.includes(zone));
  if (sameZone.length > 0 && ready.every(({ hints }) => hints.zones.length > 0)) return sameZone;
  return ready;
}

/** Whether packets to it leave this node, or reach a pod of it. */
function isReachable(ip: Ip): boolean {
  if (isLoopback(ip) || isLinkLocal(ip) || isMulticast(ip) || ip === BROADCAST) return false;
  return !UNREACHABLE.some((range) => containsIp(range, ip));
}

function slicePort(slice: EndpointSlice, { name, protocol }: { name: string; protocol: Protocol }) {
  const match = slice.ports?.find(
    (port) => (port.name ?? "") === name && (port.protocol ?? "TCP").toLowerCase() === protocol,
  );
  return match?.port === undefined || match.port === 0 ? undefined : match.port;
}

function backendOf(
  { addresses, conditions, nodeName, hints }: Endpoint,
  port: number,
  family: Family,
  place: Place,
): Backend | undefined {
  const [address] = addresses;
  if (address === undefined || !isIp(address) || familyOf(address) !== family) return undefined;
  const isReady = conditions?.ready ?? true;
  const isServing = conditions?.serving ?? isReady;
  return {
    ip: parseIp(address),
    port,
    isLocal: nodeName === place.nodeName,
    isReady,
    isLeaving: isServing && (conditions?.terminating ?? false),
    hints: {
      zones: (hints?.forZones ?? []).map(({ name }) => name),
      nodes: (hints?.forNodes ?? []).map(({ name }) => name),
    },
  };
}
