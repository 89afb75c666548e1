import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { runAgent } from "./agent.ts";
import type { AgentConfig } from "./config/config.ts";
import type { Life } from "./life.ts";
import { followServing, joinAs } from "./membership.ts";
import { fitNodeIps, followNodeIps, ownNodeIps } from "./node-ips.ts";

/** An agent node, composed: join, then run the node's part until aborted. */
export async function runAgentNode(
  config: AgentConfig,
  { log, signal, imagesDir, program }: Life,
): Promise<void> {
  using kernel = openKernel();
  const { node } = config;
  const own = { kernel, node, log, signal };
  const joining = { serverUrl: config.serverUrl, token: config.token, node, log, signal };
  const membership = await joinAs(await ownNodeIps(own), joining);
  log.info("joined the cluster", { node: node.name, server: membership.serverUrl });
  const networks = membership.cluster;
  // Before it is known which families the cluster has, any address will do.
  const found = await ownNodeIps(own, networks.clusterCidrs);
  const nodeIps = followNodeIps(fitNodeIps(found, { node, networks, log }), { ...own, networks });
  await runAgent({
    kernel,
    node,
    nodeIps,
    serving: followServing(membership.serving, nodeIps, joining),
    membership,
    imagesDir,
    program,
    clock: systemClock,
    log,
    signal,
  });
}
