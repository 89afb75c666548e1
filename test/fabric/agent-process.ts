/** A node's pod network as a process of its own, so that a test can kill it: `agent-process.ts SPEC.json`. The API it sees
 *  is the list of Nodes in the file, as after a restart of both. Says `ready` with what it found to do. */
import { readFileSync } from "node:fs";
import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { openKernel } from "#kernel/open";
import { openFakeClient } from "#kube/fake/client";
import type { Node } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { startAgent } from "./node-agent.ts";

export interface AgentSpec {
  readonly name: string;
  readonly ips: readonly [Ip, Ip];
  readonly dir: string;
  readonly nodes: readonly Node[];
}

export interface AgentReport {
  readonly ops: number;
  readonly podCidrs: readonly Cidr[];
  readonly attachments: number;
}

const spec = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as AgentSpec;
const client = openFakeClient();
for (const node of spec.nodes) await client.create(NODES, node);
const agent = await startAgent({ ...spec, kernel: openKernel() }, client);
const report: AgentReport = {
  ops: agent.rounds.reduce((sum, { ops }) => sum + ops, 0),
  podCidrs: agent.ready.podCidrs,
  attachments: agent.network.list().length,
};
process.send?.(report);
