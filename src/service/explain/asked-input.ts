import { type Ip, isLoopback } from "#addr/ip";
import type { Node } from "#kube/generated/types";
import type { Place } from "../model.ts";
import { type Client, clientOf } from "./places.ts";
import type { RoutedObjects } from "./routes.ts";

/** What is left out is free. */
export interface AskedConnection {
  readonly from?: Ip;
  readonly to?: Ip;
  readonly port?: number;
}

export interface AskedInput extends RoutedObjects {
  readonly nodes: readonly Node[];
  readonly clientAddress: "preserve" | "masquerade";
  /** This node comes first. */
  readonly places: readonly Place[];
}

/** Without `from` outside, unless the address is one that nobody else can use. */
export function clientOfAsked(
  { from, to }: AskedConnection,
  { nodes, config, places }: Pick<AskedInput, "nodes" | "config" | "places">,
): Client {
  const [here] = places;
  if (here !== undefined && [from, to].some((ip) => ip !== undefined && isLoopback(ip)))
    return { kind: "this-node", node: here.nodeName };
  return from === undefined || here === undefined
    ? { kind: "outside" }
    : clientOf(from, { nodes, config, at: here });
}
