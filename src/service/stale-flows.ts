import type { Family } from "#addr/family";
import { FAMILIES } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Conntrack, ConntrackFlow } from "#kernel/kernel";
import { PROTOCOLS, type UdpAnswerers, udpKey } from "./model.ts";

/** Deletes UDP connections to these frontends whose answers would come from somebody else: from an endpoint that is gone,
 *  or from nobody since they were made before there was one. A client that keeps sending from one port would otherwise
 *  never leave them. To run after the elements are in place, or the next packet would make the old connection again. */
export function forgetStaleFlows(answerers: UdpAnswerers, conntrack: Conntrack): void {
  for (const family of familiesOf(answerers))
    for (const flow of conntrack.listFlows({ family, protocol: PROTOCOLS.udp }))
      if (isStale(flow, answerers)) conntrack.deleteFlow(flow);
}

/** Whether the connection goes to one of the frontends and none of its answerers answers it. */
export function isStale({ original, reply }: ConntrackFlow, answerers: UdpAnswerers): boolean {
  const may = answerers.get(udpKey(original.destination, original.destinationPort));
  return may !== undefined && !may.has(udpKey(reply.source, reply.sourcePort));
}

function familiesOf(answerers: UdpAnswerers): readonly Family[] {
  const ips = [...answerers.keys()].map((key) => familyOf(key as Ip));
  return FAMILIES.filter((family) => ips.includes(family));
}
