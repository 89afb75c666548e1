/** The proxy as a process of its own in a node's namespace, so that it can be killed: objects come by stdin, one JSON value a
 *  line. */
import { createInterface } from "node:readline";
import { openKernel } from "#kernel/open";
import type { EndpointSlice, Node, Service, ServiceCIDR } from "#kube/generated/types";
import { Routed } from "./routed.ts";

interface Objects {
  readonly services: Service;
  readonly slices: EndpointSlice;
  readonly nodes: Node;
  readonly serviceCidrs: ServiceCIDR;
}

export type ObjectChange = {
  [K in keyof Objects]: { readonly do: "put" | "remove"; readonly kind: K; readonly object: Objects[K] };
}[keyof Objects];

export type ProxyOrder =
  | { readonly do: "change"; readonly changes: readonly ObjectChange[] }
  | { readonly do: "start" }
  | { readonly do: "settle"; readonly id: number };

/** Told once after the start, and after each `settle`. */
export interface ProxyReply {
  readonly id: number;
  readonly faults: readonly string[];
  readonly problems: number;
}

export function applyChange(routed: Pick<Routed, keyof Objects>, change: ObjectChange): void {
  switch (change.kind) {
    case "services":
      routed.services[change.do](change.object);
      break;
    case "slices":
      routed.slices[change.do](change.object);
      break;
    case "nodes":
      routed.nodes[change.do](change.object);
      break;
    case "serviceCidrs":
      routed.serviceCidrs[change.do](change.object);
      break;
    default:
      change satisfies never;
  }
}

async function serve(): Promise<void> {
  using kernel = openKernel();
  await using routed = new Routed(kernel);
  const tell = (id: number) => {
    const faults = routed.faults.splice(0).map(({ message }) => message);
    const reply: ProxyReply = { id, faults, problems: routed.problems.length };
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as ProxyOrder;
    if (order.do === "change") for (const change of order.changes) applyChange(routed, change);
    else if (order.do === "start") {
      await routed.start();
      tell(0);
    } else {
      await routed.again();
      tell(order.id);
    }
  }
}

if (import.meta.main) await serve();
