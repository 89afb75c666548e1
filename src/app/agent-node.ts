import { join } from "node:path";
import { joinCluster } from "#join/join-cluster";
import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { runAgent } from "./agent.ts";
import type { AgentConfig } from "./config/config.ts";
import { type Life, PASSWORD_FILE } from "./life.ts";
import { fitNodeIps, ownNodeIps } from "./node-ips.ts";

/** An agent node, composed: join, then run the node's part until aborted. */
export async function runAgentNode(
  config: AgentConfig,
  { log, signal, imagesDir, program }: Life,
): Promise<void> {
  using kernel = openKernel();
  const { node } = config;
  const nodeIps = ownNodeIps(kernel.netlink, node);
  const membership = await joinCluster({
    serverUrl: config.serverUrl,
    token: config.token,
    nodeName: node.name,
    nodeIps: [...nodeIps, ...node.externalIps],
    dir: join(node.dataDir, "agent"),
    passwordFile: PASSWORD_FILE,
    clock: systemClock,
    log: log.child({ room: "join" }),
    signal,
  });
  log.info("joined the cluster", { node: node.name, server: membership.serverUrl });
  await runAgent({
    kernel,
    node,
    nodeIps: fitNodeIps(nodeIps, { node, networks: membership.cluster, log }),
    membership,
    imagesDir,
    program,
    clock: systemClock,
    log,
    signal,
  });
}
