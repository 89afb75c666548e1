/** Why the pods of a Service see the client addresses they see. Pure: told by what the routing is made from. */
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { readClientAddress } from "../desired.ts";
import type { Place, ServiceConfig } from "../model.ts";
import { tellConnection } from "./asked.ts";
import type { AskedConnection } from "./asked-input.ts";
import { casesOf } from "./cases.ts";
import type { EndpointSummary, Explanation } from "./model.ts";
import { narrowed } from "./narrowed.ts";
import { notesOf, whyNotRouted } from "./notes.ts";
import { placesOf } from "./places.ts";
import { readyEndpoints } from "./ready-endpoints.ts";

const MOST_NODES = 8;

export interface ExplainInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly config: ServiceConfig;
  /** This node, as it is. */
  readonly here: Place;
  /** One connection that is asked about. */
  readonly asked?: AskedConnection;
}

export function explainService(input: ExplainInput): Explanation {
  const { service, slices, nodes, config, here, asked } = input;
  const { metadata, spec } = service;
  const notRouted = whyNotRouted(service);
  const clientAddress = readClientAddress(service).value;
  const places = placesOf(nodes, here);
  const at = { service, slices, nodes, config, clientAddress, places };
  const cases = notRouted === undefined ? casesOf(at) : [];
  return {
    service: `${metadata.namespace}/${metadata.name}`,
    type: spec?.type ?? "ClusterIP",
    ...(notRouted === undefined ? {} : { notRouted }),
    internalTrafficPolicy: spec?.internalTrafficPolicy ?? "Cluster",
    externalTrafficPolicy: spec?.externalTrafficPolicy ?? "Cluster",
    clientAddress,
    ready: summaryOf(slices),
    cases: asked === undefined ? cases : narrowed(cases, asked, at),
    notes: notesOf({ service, slices, nodes, config }),
    ...(asked === undefined ? {} : { asked: tellConnection(asked, at) }),
  };
}

function summaryOf(slices: readonly EndpointSlice[]): EndpointSummary {
  const ready = readyEndpoints(slices);
  const counts = new Map<string, number>();
  for (const node of ready.values()) counts.set(node, (counts.get(node) ?? 0) + 1);
  const byNode = [...counts].map(([node, count]) => ({ node: node === "" ? "no node" : node, count }));
  byNode.sort((a, b) => (a.node < b.node ? -1 : 1));
  return { total: ready.size, byNode: byNode.slice(0, MOST_NODES), nodeCount: counts.size };
}
