/** The cloud controller of a server, composed: what says of Nodes what their machines are, and ServiceLB, as one identity of their own. */
import { join } from "node:path";
import { CCM_MANIFEST } from "#addons/packaged/ccm";
import { CLOUD_CONTROLLER } from "#cloud/names";
import { runCloudNodes } from "#cloud/node/run";
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

/** Runs until aborted; returns at once where both its parts are turned off, and then leaves no rights either. */
export async function runServerCloud(
  config: ServerConfig,
  { client, cloudClient, kubeconfig }: CloudMeans,
  { log, signal }: Ends,
): Promise<void> {
  const { node, cluster, disable } = config;
  const nodes = !cluster.disableCloudController;
  if (!nodes && cluster.disableServiceLb) return;
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
  await runCloud({ client: cloudClient, nodes, args: config.cloud, identity, lease }, { log, signal });
}

/** Acts while it is the one of the cluster that leads, until aborted. */
export async function runCloud(task: CloudTask, { log, signal }: Ends): Promise<void> {
  const { client, args, identity, lease } = task;
  const act = (leading: AbortSignal) => actAsCloud(task, { log, signal: leading });
  if (!args.election.isOn) return act(signal);
  const { timing } = args.election;
  await lead(client, { ...lease, identity, timing, clock: systemClock, log, signal }, act);
}

async function actAsCloud({ client, nodes, args }: CloudTask, { log, signal }: Ends): Promise<void> {
  const watching = { clock: systemClock, log, signal };
  const work: Promise<void>[] = [];
  if (nodes)
    work.push(
      runCloudNodes({
        ...watching,
        client,
        nodes: openInformer(client, NODES, watching),
        periodMs: args.nodeStatusMs,
        workers: args.workers,
      }),
    );
  await Promise.all(work);
}

/** As K3s tells its provider; here for people to read. */
function cloudConfig({ cluster }: ServerConfig): object {
  return {
    lbDefaultPriorityClassName: "system-node-critical",
    lbEnabled: !cluster.disableServiceLb,
    lbImage: "rancher/klipper-lb:v0.4.17",
    lbNamespace: "kube-system",
    nodeEnabled: !cluster.disableCloudController,
    rootless: false,
  };
}
