/** What a cluster comes with, composed: each component's manifest is written to a file and applied, in K3s's place and under its name. */
import { join } from "node:path";
import { deploy } from "#addons/deploy";
import { parseManifest } from "#addons/manifest";
import { runNodeHosts } from "#addons/node-hosts";
import { corednsManifest } from "#addons/packaged/coredns";
import { explain } from "#fault/fault";
import { writeFileAtomic } from "#join/file";
import type { KubeClient } from "#kube/client";
import { openInformer } from "#kube/open-informer";
import { CONFIG_MAPS, NODES } from "#kube/resources";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import type { ServerConfig } from "./config/config.ts";
import type { Life } from "./life.ts";

type Ends = Pick<Life, "log" | "signal">;

/** Resolves once the component stands in the cluster; tries until then. */
export async function putPackaged(
  client: KubeClient,
  { name, text, node }: { readonly name: string; readonly text: string; readonly node: ServerConfig["node"] },
  { log, signal }: Ends,
): Promise<void> {
  const path = join(node.dataDir, `server/manifests/${name}.yaml`);
  writeFileAtomic(path, text, 0o600);
  await retry(() => deploy(client, parseManifest(text, path), `deploy@${node.name}`), {
    clock: systemClock,
    shape: { firstMs: 50, maxMs: 5000 },
    signal,
    onFailure: (error) => log.warn(`could not deploy ${name}; will try again`, { error: explain(error) }),
  });
}

export async function runAddons(
  config: ServerConfig,
  client: KubeClient,
  { log, signal }: Ends,
): Promise<void> {
  if (config.disable.includes("coredns")) return;
  const { clusterDns, clusterDomain } = config.cluster;
  const text = corednsManifest({ clusterDns, clusterDomain });
  await putPackaged(client, { name: "coredns", text, node: config.node }, { log, signal });
  const watching = { clock: systemClock, log, signal };
  const configMaps = openInformer(client, CONFIG_MAPS, {
    ...watching,
    namespace: "kube-system",
    fieldSelector: "metadata.name=coredns",
  });
  await runNodeHosts({ ...watching, client, nodes: openInformer(client, NODES, watching), configMaps });
}
