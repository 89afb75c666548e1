/** The cloud controller of a server, composed: what says of Nodes what their machines are, and ServiceLB, as one identity of their own. */
import { join } from "node:path";
import { CCM_MANIFEST } from "#addons/packaged/ccm";
import { CLOUD_CONTROLLER } from "#cloud/names";
import { runCloudNodes } from "#cloud/node/run";
import type { ServiceLbConfig } from "#cloud/servicelb/model";
import { retireServiceLb, runServiceLb } from "#cloud/servicelb/run";
import { writeFileAtomic } from "#join/file";
import type { KubeClient } from "#kube/client";
import { lead } from "#kube/leader-election";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { putPackaged } from "./addons.ts";
import type { CloudArgs } from "./config/cloud-args.ts";
import type { ServerConfig } from "./config/config.ts";
import type { Life } from "./life.ts";
import { ownId } from "./own-id.ts";

type Ends = Pick<Life, "log" | "signal">;

/** What a cloud controller is to do. */
export interface CloudTask {
  readonly client: KubeClient;
  /** Whether Nodes are its business. */
  readonly nodes: boolean;
  /** Whether load balancers are: run them, take down what stands of them, or leave them alone. */
  readonly serviceLb: "run" | "retire" | "leave";
  readonly serviceLbConfig: ServiceLbConfig;
  readonly args: CloudArgs;
  /** Tells candidates for the lease apart. */
  readonly identity: string;
  readonly lease: { readonly namespace: string; readonly name: string };
}

export interface CloudMeans {
  /** May do everything: puts the cloud controller's rights in place. */
  readonly client: KubeClient;
  /** The cloud controller's own. */
  readonly cloudClient: KubeClient;
  /** The same, for people and programs that act in its name. */
  readonly kubeconfig: string;
}

/** Runs until aborted; where both its parts are turned off there is no cloud controller, and nobody is given its rights. */
export async function runServerCloud(
  config: ServerConfig,
  { client, cloudClient, kubeconfig }: CloudMeans,
  { log, signal }: Ends,
): Promise<void> {
  const { node, cluster, disable } = config;
  const nodes = !cluster.disableCloudController;
  const serviceLb = cluster.disableServiceLb ? "retire" : "run";
  if (!nodes && serviceLb === "retire")
    return retireServiceLb({ client, config: config.serviceLb, clock: systemClock, log, signal });
  writeFileAtomic(
    join(node.dataDir, "server/etc/cloud-config.yaml"),
    `${JSON.stringify(cloudConfig(config))}\n`,
    0o600,
  );
  writeFileAtomic(join(node.dataDir, "server/cred/cloud-controller.kubeconfig"), kubeconfig, 0o600);
  if (!disable.includes("ccm"))
    await putPackaged(client, { name: "ccm", text: CCM_MANIFEST, node }, { log, signal });
  const identity = `${node.name}_${ownId(join(node.dataDir, "server/controllers-id"))}`;
  const lease = { namespace: "kube-system", name: CLOUD_CONTROLLER };
  const tasks = { nodes, serviceLb, serviceLbConfig: config.serviceLb } as const;
  await runCloud({ client: cloudClient, ...tasks, args: config.cloud, identity, lease }, { log, signal });
}

/** Acts while it is the one of the cluster that leads, until aborted. */
export async function runCloud(task: CloudTask, { log, signal }: Ends): Promise<void> {
  const { client, args, identity, lease } = task;
  const act = (leading: AbortSignal) => actAsCloud(task, { log, signal: leading });
  if (!args.election.isOn) return act(signal);
  const { timing } = args.election;
  await lead(client, { ...lease, identity, timing, clock: systemClock, log, signal }, act);
}

async function actAsCloud(
  { client, nodes, serviceLb, serviceLbConfig, args }: CloudTask,
  { log, signal }: Ends,
): Promise<void> {
  const watching = { clock: systemClock, log, signal };
  const onNodes = nodes
    ? runCloudNodes({
        ...watching,
        client,
        nodes: openInformer(client, NODES, watching),
        periodMs: args.nodeStatusMs,
        workers: args.workers,
      })
    : idle(signal);
  const balancing = { ...watching, client, config: serviceLbConfig };
  const act = { run: runServiceLb, retire: retireServiceLb, leave: async () => {} }[serviceLb];
  await Promise.all([onNodes, act(balancing)]);
}

/** Who leads goes on leading, also with nothing left to do. */
function idle(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** As K3s tells its provider; here for people to read. */
function cloudConfig({ cluster, serviceLb }: ServerConfig): object {
  return {
    lbDefaultPriorityClassName: serviceLb.priorityClassName,
    lbEnabled: !cluster.disableServiceLb,
    lbImage: serviceLb.image,
    lbNamespace: serviceLb.namespace,
    nodeEnabled: !cluster.disableCloudController,
    rootless: false,
  };
}
