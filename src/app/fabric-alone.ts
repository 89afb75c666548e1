/** The fabric alone, composed: this machine's half of the pod network of a cluster that somebody else runs. */
import type { Cidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import type { FabricConfig } from "#fabric/model";
import { runFabric } from "#fabric/run";
import { STATUS_SOCKET } from "#fabric/status/serve";
import { explain, Fault } from "#fault/fault";
import { openKernel } from "#kernel/open";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openClient } from "#kube/http-client";
import { openInformer } from "#kube/open-informer";
import { NODES, PODS } from "#kube/resources";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { aloneConnection } from "./alone-connection.ts";
import type { FabricAloneConfig, NodeChoice } from "./config/read-fabric-alone.ts";
import { checkFabricRights } from "./fabric-rights.ts";
import { openHealth } from "./health.ts";
import { findOuterInterface, type OuterInterface } from "./outer-interface.ts";
import { ownSignal } from "./own-signal.ts";

/** Remembers where checksums may not be left to the hardware. */
const OFFLOAD_FILE = "/var/lib/twill/fabric/offload.json";

export interface FabricAloneLife {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs until aborted; what stands in the kernel and on disk then stays. @throws {Fault} what keeps it from starting */
export async function runFabricAlone(
  config: FabricAloneConfig,
  { log, signal: outer }: FabricAloneLife,
): Promise<void> {
  using kernel = openKernel();
  using parts = ownSignal(outer);
  const { signal } = parts;
  const found = findOuterInterface(kernel.netlink, config.interfaces);
  log.info("the interface between nodes", { interface: found.name, ips: found.ips });
  await using client = openClient({ ...aloneConnection(config, "twill-fabric"), clock: systemClock });
  const nodeName = await settleNode(client, config.node, { log, signal });
  await using health = config.health && (await openHealth(config.health, signal));
  const nodes = openInformer(client, NODES, { clock: systemClock, log: log.child({ room: "kube" }), signal });
  await runFabric({
    kernel,
    client,
    nodes,
    nodeName,
    config: fabricOf(config, found),
    statusSocket: STATUS_SOCKET,
    clock: systemClock,
    log: log.child({ room: "fabric" }),
    signal,
    onReady: () => {
      health?.becomeReady();
      if (config.tellsNetworkAvailable) void tellAvailable(client, nodeName, { log, signal });
    },
  });
}

/** The Node this machine is, once the API answers and lets us do what a fabric does. */
async function settleNode(client: KubeClient, node: NodeChoice, { log, signal }: FabricAloneLife) {
  return await retry(
    async () => {
      const name = node.kind === "named" ? node.name : await nodeOfPod(client, node);
      await checkFabricRights(client, name);
      return name;
    },
    {
      clock: systemClock,
      shape: { firstMs: 200, maxMs: 5_000 },
      signal,
      onFailure: (error, waitMs) => {
        if (!isApiFault(error) || isApiFault(error, "Forbidden", "Unauthorized", "NotFound")) throw error;
        log.warn("the cluster could not be asked; will try again", { error: explain(error), waitMs });
      },
    },
  );
}

async function nodeOfPod(client: KubeClient, ref: { namespace: string; name: string }): Promise<string> {
  const pod = await client.get(PODS, ref);
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  throw new Fault(
    "NoNode",
    `Cannot tell which Node this is: pod ${ref.namespace}/${ref.name} is on none; set NODE_NAME`,
  );
}

function fabricOf(config: FabricAloneConfig, outer: OuterInterface): FabricConfig {
  const { netConf, masquerade, publicIps } = config;
  const clusterCidrs: readonly Cidr[] = FAMILIES.flatMap((family) => netConf.networks[family] ?? []);
  return {
    clusterCidrs,
    nodeIps: outer.ips,
    iface: outer.name,
    flagPublicIps: publicIps,
    backend: netConf.backend,
    wireguardKey: { path: config.wireguardKeyFile },
    guard: config.guard,
    masquerade: masquerade === undefined ? {} : { 4: masquerade, 6: masquerade },
    subnetFile: config.subnetFile,
    probe: { offload: "auto", stateFile: OFFLOAD_FILE },
  };
}

/** As flannel says it, for clusters whose nodes are kept free of pods until somebody does. */
async function tellAvailable(client: KubeClient, name: string, { log, signal }: FabricAloneLife) {
  const now = new Date(systemClock.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const condition = {
    type: "NetworkUnavailable",
    status: "False",
    reason: "FlannelIsUp",
    message: "Twill's fabric runs on this node",
    lastTransitionTime: now,
    lastHeartbeatTime: now,
  };
  const patch = { status: { conditions: [condition] } };
  try {
    await retry(() => client.patch(NODES, { name }, patch, { type: "strategic", subresource: "status" }), {
      clock: systemClock,
      shape: { firstMs: 200, maxMs: 10_000 },
      signal,
      onFailure: (error, waitMs) =>
        log.warn("the cluster could not be told that this node's network is up; will try again", {
          error: explain(error),
          waitMs,
        }),
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
