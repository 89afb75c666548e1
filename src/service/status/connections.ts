/** A service's connections of this moment, out of the kernel's connection tracking. */
import { FAMILIES } from "#addr/family";
import { formatEndpoint, type Ip } from "#addr/ip";
import type { Conntrack, ConntrackFlow } from "#kernel/kernel";
import { type Frontend, frontendKey, PROTOCOLS, type Protocol } from "../model.ts";
import type { Connection, Connections } from "./model.ts";

const MOST_LISTED = 200;
/** Each is a walk of the kernel's through its table. */
const MOST_LOOKS = 16;

export interface ServiceFrontends {
  /** Addresses and ports that the service is reached by here. */
  readonly frontends: readonly Frontend[];
  /** This node's own addresses, where a pod's host port may take the service's ports instead. */
  readonly localIps: readonly Ip[];
  /** Ports of a load balancer's addresses. */
  readonly hostPorts: readonly Pick<Frontend, "protocol" | "port">[];
}

/** Of those only; what is left out is free. */
export interface OnlyThose {
  readonly from?: Ip;
  readonly to?: Ip;
  readonly port?: number;
}

export function connectionsOf(
  conntrack: Pick<Conntrack, "listFlows">,
  service: ServiceFrontends,
  only: OnlyThose = {},
): Omit<Connections, "unread"> {
  const wanted = new Map<string, Connection["by"]>();
  for (const { protocol, port } of service.hostPorts)
    for (const ip of service.localIps) wanted.set(frontendKey({ ip, protocol, port }), "host-port");
  for (const frontend of service.frontends) wanted.set(frontendKey(frontend), "service");
  const listed: Connection[] = [];
  let [total, masqueraded] = [0, 0];
  for (const { flow, protocol } of flowsTo([...service.frontends, ...service.hostPorts], conntrack)) {
    const connection = connectionOf(flow, protocol, wanted);
    if (connection === undefined || !isOf(only, flow)) continue;
    total += 1;
    if (connection.isMasqueraded) masqueraded += 1;
    if (listed.length < MOST_LISTED) listed.push(connection);
  }
  return { listed, total, masqueraded };
}

/** Of all there are, which may be hundreds of thousands, the kernel finds those to each port; of very many ports it tells all. */
function* flowsTo(
  ends: readonly Pick<Frontend, "protocol" | "port">[],
  conntrack: Pick<Conntrack, "listFlows">,
): Iterable<{ readonly flow: ConntrackFlow; readonly protocol: Protocol }> {
  for (const [protocol, own] of Map.groupBy(ends, ({ protocol }) => protocol)) {
    const ports = new Set(own.map(({ port }) => port));
    const filters = ports.size > MOST_LOOKS ? [{}] : [...ports].map((toPort) => ({ toPort }));
    for (const family of FAMILIES)
      for (const filter of filters)
        for (const flow of conntrack.listFlows({ family, protocol: PROTOCOLS[protocol], ...filter }))
          yield { flow, protocol };
  }
}

function isOf({ from, to, port }: OnlyThose, { original }: ConntrackFlow): boolean {
  return (
    (from === undefined || original.source === from) &&
    (to === undefined || original.destination === to) &&
    (port === undefined || original.destinationPort === port)
  );
}

/** Only what was led to somebody else than it was sent to: a packet that was refused has an entry too, for a moment. */
function connectionOf(
  { original, reply }: ConntrackFlow,
  protocol: Protocol,
  wanted: ReadonlyMap<string, Connection["by"]>,
): Connection | undefined {
  const { source, sourcePort, destination: ip, destinationPort: port } = original;
  const by = wanted.get(frontendKey({ ip, protocol, port }));
  if (by === undefined || (reply.source === ip && reply.sourcePort === port)) return undefined;
  return {
    protocol,
    client: source,
    clientPort: sourcePort,
    entry: formatEndpoint(ip, port),
    endpoint: formatEndpoint(reply.source, reply.sourcePort),
    seenAs: reply.destination,
    isMasqueraded: reply.destination !== source,
    by,
  };
}
