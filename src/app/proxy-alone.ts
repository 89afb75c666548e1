/** Service routing alone, composed: this machine's kube-proxy in a cluster that somebody else runs. */
import { type Cidr, cidrFamily, hostCidr, parseCidr } from "#addr/cidr";
import { isIp, parseIp } from "#addr/ip";
import { tellLeftovers } from "#fabric/leftovers/tell";
import { explain, Fault } from "#fault/fault";
import { openKernel } from "#kernel/open";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { Informer } from "#kube/informer";
import type { KubeObject } from "#kube/object";
import { openInformer } from "#kube/open-informer";
import { ENDPOINT_SLICES, NODES, SERVICE_CIDRS, SERVICES } from "#kube/resources";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import { SERVICE_SOCKET } from "#service/status/serve";
import type { Logger } from "#telemetry/log";
import { aloneConnection } from "./alone-connection.ts";
import type { ProxyAloneConfig } from "./config/read-proxy-alone.ts";
import { ownSignal } from "./own-signal.ts";
import { retireServiceRouting, runServiceRouting } from "./service-routing.ts";

export interface ProxyAloneLife {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs until aborted; what stands in the kernel then stays. @throws {Fault} what keeps it from starting */
export async function runProxyAlone(
  config: ProxyAloneConfig,
  { log, signal: outer }: ProxyAloneLife,
): Promise<void> {
  using kernel = openKernel();
  if (config.isCleanup) return retireServiceRouting(kernel, log, "--cleanup");
  using parts = ownSignal(outer);
  const { signal } = parts;
  await using client = openClient({ ...aloneConnection(config, "twill-proxy"), clock: systemClock });
  const { cidrs, hasObjects } = await settleServiceCidrs(client, config, { log, signal });
  const families = cidrs.map(cidrFamily);
  log.info("routing services", { node: config.nodeName, serviceCidrs: cidrs });
  tellLeftovers(kernel, log);
  const watching = { clock: systemClock, log: log.child({ room: "kube" }), signal };
  const nodes = openInformer(client, NODES, watching);
  void tellMissing(nodes, config.nodeName, log);
  await runServiceRouting({
    kernel,
    client,
    nodes,
    ...(hasObjects ? { serviceCidrObjects: openInformer(client, SERVICE_CIDRS, watching) } : {}),
    nodeName: config.nodeName,
    args: config.args,
    clusterCidrs: [],
    serviceCidrs: cidrs,
    reservedPorts: [{ protocol: "tcp", port: 10_250, why: "the node's own API (kubelet)" }],
    // kube-proxy's own, where K3s has loopback.
    listenIps: {
      healthz: parseIp(families.includes(4) ? "0.0.0.0" : "::"),
      metrics: parseIp("127.0.0.1"),
    },
    statusSocket: config.statusSocket ?? SERVICE_SOCKET,
    clock: systemClock,
    log: log.child({ room: "service" }),
    signal,
  });
}

/** Where ClusterIPs come from, once the API answers and lets us look: said by flags, by objects, or at least by the service that
 *  every cluster has. Which families are routed follows. */
async function settleServiceCidrs(
  client: KubeClient,
  config: ProxyAloneConfig,
  { log, signal }: ProxyAloneLife,
) {
  return await retry(
    async () => {
      await checkRights(client);
      const objects = await listServiceCidrs(client);
      const cidrs = [...new Set([...config.serviceCidrs, ...(objects ?? [])])];
      const hasObjects = objects !== undefined;
      if (cidrs.length > 0) return { cidrs, hasObjects };
      const own = await ownRanges(client);
      log.warn(
        "nobody says where ClusterIPs come from: packets to those that no service has are not dropped",
        {
          fix: "--service-cidr=10.96.0.0/12",
          families: own.map(cidrFamily),
        },
      );
      return { cidrs: own, hasObjects };
    },
    {
      clock: systemClock,
      shape: { firstMs: 200, maxMs: 5_000 },
      signal,
      onFailure: (error, waitMs) => {
        if (!isApiFault(error) || isApiFault(error, "Forbidden", "Unauthorized")) throw error;
        log.warn("the cluster could not be asked; will try again", { error: explain(error), waitMs });
      },
    },
  );
}

/** Without its Node nothing here is local, and health says so for ever. */
async function tellMissing(nodes: Informer<Node>, name: string, log: Logger): Promise<void> {
  const isSynced = await nodes.synced.then(
    () => true,
    () => false,
  );
  if (isSynced && nodes.get(name) === undefined)
    log.warn("the cluster has no Node of this name; give it by --hostname-override", { name });
}

/** @throws {Fault} NotAllowed with the role that has what is missing */
async function checkRights(client: KubeClient): Promise<void> {
  for (const resource of [SERVICES, ENDPOINT_SLICES, NODES]) {
    try {
      // No matter which are there.
      await client.list<KubeObject>(resource, { fieldSelector: "metadata.name=kubernetes" });
    } catch (error) {
      if (!isApiFault(error, "Forbidden")) throw error;
      throw new Fault(
        "NotAllowed",
        `Cannot route services: the cluster does not allow to list ${resource.plural}; bind the role system:node-proxier to the kubeconfig's user or the service account: ${error.message}`,
        { cause: error },
      );
    }
  }
}

/** Undefined where the API has no such objects (before Kubernetes 1.33), or does not show them. */
async function listServiceCidrs(client: KubeClient): Promise<readonly Cidr[] | undefined> {
  try {
    const { items } = await client.list(SERVICE_CIDRS);
    return items.flatMap(({ spec }) => (spec?.cidrs ?? []).map((text) => parseCidr(text)));
  } catch (error) {
    if (isApiFault(error, "NotFound", "Forbidden")) return undefined;
    throw error;
  }
}

/** The addresses of the API's own service, each a range of its own. */
async function ownRanges(client: KubeClient): Promise<readonly Cidr[]> {
  const { spec } = await client.get(SERVICES, { namespace: "default", name: "kubernetes" });
  const ips = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]);
  return ips.flatMap((ip) => (isIp(ip) ? [hostCidr(parseIp(ip))] : []));
}
