/** Keeps key `NodeHosts` of ConfigMap kube-system/coredns in step with the nodes, so that node names resolve in pods. */
import { familyOf, type Ip, ipToBits, isIp } from "#addr/ip";
import { explain } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import type { ConfigMap, Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { CONFIG_MAPS } from "#kube/resources";
import { retry } from "#life/backoff";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";

export interface NodeHostsOptions {
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly configMaps: Informer<ConfigMap>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export async function runNodeHosts(options: NodeHostsOptions): Promise<void> {
  const { client, nodes, configMaps, clock, log, signal } = options;
  await Promise.all([nodes.synced, configMaps.synced]);
  const news = new Cell<true>();
  using stops = new DisposableStack();
  stops.defer(nodes.subscribe(() => news.set(true)));
  stops.defer(configMaps.subscribe(() => news.set(true)));
  for await (const _ of news.values({ signal })) {
    await retry(() => sync(client, nodes, configMaps), {
      clock,
      shape: { firstMs: 100, maxMs: 5000 },
      signal,
      onFailure: (error) =>
        log.warn("could not write node names for DNS; will try again", { error: explain(error) }),
    });
  }
}

async function sync(
  client: KubeClient,
  nodes: Informer<Node>,
  configMaps: Informer<ConfigMap>,
): Promise<void> {
  const standing = configMaps.get("kube-system/coredns");
  if (!standing) return;
  const wanted = formatNodeHosts(nodes.list());
  if (standing.data?.["NodeHosts"] === wanted) return;
  const ref = { namespace: "kube-system", name: "coredns" };
  await client.patch(CONFIG_MAPS, ref, { data: { NodeHosts: wanted } }, { type: "merge" });
}

/** One `IP name` line for each node and family, sorted by address, IPv4 first. */
export function formatNodeHosts(nodes: readonly Node[]): string {
  const lines = new Map<Ip, string>();
  for (const node of nodes) {
    const addresses = node.status?.addresses ?? [];
    const hostname = addresses.find(({ type }) => type === "Hostname")?.address;
    const names =
      hostname && hostname !== node.metadata.name ? `${node.metadata.name} ${hostname}` : node.metadata.name;
    for (const family of [4, 6]) {
      const ip = addresses.findLast(
        ({ type, address }) => type === "InternalIP" && familyOf(address) === family,
      )?.address;
      if (ip && isIp(ip)) lines.set(ip, names);
    }
  }
  const sorted = [...lines].sort(
    ([a], [b]) => familyOf(a) - familyOf(b) || (ipToBits(a) < ipToBits(b) ? -1 : 1),
  );
  return sorted.map(([ip, names]) => `${ip} ${names}\n`).join("");
}
