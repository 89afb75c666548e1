import type { Ip } from "#addr/ip";
import { isIp, parseIp } from "#addr/ip";
import type { KubeClient } from "#kube/client";
import type { Pod } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { openInformer } from "#kube/open-informer";
import { ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES } from "#kube/resources";
import type { PluginHost } from "../../plugin.ts";
import type { KubernetesConfig } from "./config.ts";
import { Directory, SLICE_INDEXES } from "./directory.ts";
import type { PodsWithIp } from "./responder.ts";

/** The cluster as this server sees it, kept current. */
export interface Cluster {
  readonly directory: Directory;
  readonly podsWithIp: PodsWithIp;
  readonly isSynced: () => boolean;
  readonly synced: Promise<unknown>;
}

type ClusterHost = Pick<PluginHost, "clock" | "log" | "signal">;

/** Starts watching what the configured answers need, and no more. */
export function openCluster(config: KubernetesConfig, client: KubeClient, host: ClusterHost): Cluster {
  const { clock, log, signal } = host;
  const options = { clock, log, signal };
  const services = openInformer(client, SERVICES, {
    ...options,
    ...(config.labels ? { labelSelector: config.labels } : {}),
  });
  const slices = config.watchesEndpoints
    ? openInformer(client, ENDPOINT_SLICES, { ...options, indexes: SLICE_INDEXES })
    : undefined;
  const namespaces = openInformer(client, NAMESPACES, {
    ...options,
    ...(config.namespaceLabels ? { labelSelector: config.namespaceLabels } : {}),
  });
  const pods = config.pods === "verified" ? openPods(client, options) : undefined;
  const directory = new Directory({
    services,
    slices,
    namespaces,
    usesPodNames: config.usesPodNames,
    now: clock.now,
  });
  const stop = directory.follow();
  signal.addEventListener("abort", stop, { once: true });
  return {
    directory,
    podsWithIp: (ip) =>
      (pods?.byIndex("ip", ip) ?? []).map(({ metadata }) => ({ namespace: metadata.namespace ?? "" })),
    isSynced: () => directory.isSynced && (pods?.isSynced ?? true),
    synced: Promise.all([services.synced, slices?.synced, namespaces.synced, pods?.synced]),
  };
}

function openPods(client: KubeClient, options: ClusterHost): Informer<Pod> {
  return openInformer(client, PODS, {
    ...options,
    fieldSelector: "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown",
    indexes: { ip: podIps },
  });
}

function podIps({ metadata, status }: Pod): Ip[] {
  if (metadata.deletionTimestamp) return [];
  return (status?.podIPs ?? [])
    .map(({ ip }) => ip ?? "")
    .filter((ip) => isIp(ip))
    .map(parseIp);
}
