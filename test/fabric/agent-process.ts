/** A node's pod network as a process of its own, so that a test can kill it: `agent-process.ts SPEC.json`. The API it sees
 *  is the list of Nodes in the file, as after a restart of both, and then those it is told of. Says what it found to do until
 *  its half of the network stood, and whatever it writes on its own Node. */
import { readFileSync } from "node:fs";
import type { Cidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { FabricBackend } from "#fabric/model";
import { openKernel } from "#kernel/open";
import { openFakeClient } from "#kube/fake/client";
import type { Node } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { wireguardFolders } from "./machines.ts";
import { startAgent } from "./node-agent.ts";

export interface AgentSpec {
  readonly name: string;
  readonly ips: readonly [Ip, Ip];
  readonly families: readonly Family[];
  readonly dir: string;
  readonly nodes: readonly Node[];
  /** VXLAN unless told. */
  readonly backend?: FabricBackend;
  readonly cluster?: readonly Cidr[];
}

export interface AgentReport {
  readonly ops: number;
  readonly podCidrs: readonly Cidr[];
  readonly attachments: number;
}

const spec = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as AgentSpec;
const client = openFakeClient();
for (const node of spec.nodes) await client.create(NODES, node);
void sayAnnotations();
let followed = Promise.resolve();
process.on("message", ({ nodes }: { readonly nodes: readonly Node[] }) => {
  followed = followed.then(() => follow(nodes));
});
const kernel = openKernel({ wireguard: wireguardFolders(spec.dir) });
const agent = await startAgent({ ...spec, kernel }, client, spec.backend && { backend: spec.backend });
const report: AgentReport = {
  ops: agent.rounds.reduce((sum, { ops }) => sum + ops, 0),
  podCidrs: agent.ready.podCidrs,
  attachments: agent.network.list().length,
};
process.send?.(report);

async function sayAnnotations(): Promise<void> {
  const { items, resourceVersion } = await client.list(NODES);
  const say = (node: Node | undefined) => process.send?.({ annotations: node?.metadata.annotations ?? {} });
  say(items.find(({ metadata }) => metadata.name === spec.name));
  const { signal } = new AbortController();
  for await (const event of client.watch(NODES, { resourceVersion, signal }))
    if (event.type !== "BOOKMARK" && event.object.metadata.name === spec.name) say(event.object);
}

/** Of the own Node nothing is taken but the subnets: the rest is what this agent has written. */
async function follow(nodes: readonly Node[]): Promise<void> {
  const { items } = await client.list(NODES);
  const standing = new Map(items.map((node) => [node.metadata.name, node]));
  for (const node of nodes) {
    const known = standing.get(node.metadata.name);
    standing.delete(node.metadata.name);
    if (known === undefined) await client.create(NODES, node);
    else if (node.metadata.name !== spec.name && differs(known, node)) await change(node);
  }
  for (const name of standing.keys()) await client.delete(NODES, { name });
}

async function change({ metadata: { name, annotations }, spec: wanted, status }: Node): Promise<void> {
  const told = await client.get(NODES, { name });
  const metadata = { ...told.metadata, annotations };
  await client.replace(NODES, { ...told, metadata, spec: wanted });
  await client.patch(NODES, { name }, { status }, { type: "merge", subresource: "status" });
}

function differs(known: Node, node: Node): boolean {
  const told = ({ metadata, spec: wanted, status }: Node) =>
    JSON.stringify([metadata.annotations, wanted, status]);
  return told(known) !== told(node);
}
