/** One node's part, composed: fabric, service routing, pods. Nothing is decided here. */
import type { Ip } from "#addr/ip";
import { removeDeadEnds } from "#fabric/dead-end";
import { tellLeftovers } from "#fabric/leftovers/tell";
import type { FabricBackend, FabricConfig, FabricReady } from "#fabric/model";
import { type FabricOptions, runFabric } from "#fabric/run";
import { STATUS_SOCKET } from "#fabric/status/serve";
import { withdrawEnds } from "#fabric/withdraw";
import type { Certified } from "#join/certificate";
import type { Membership } from "#join/join-cluster";
import { CLAIMS } from "#kernel/claims";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { Informer } from "#kube/informer";
import { openInformer } from "#kube/open-informer";
import { NODES, SERVICE_CIDRS } from "#kube/resources";
import type { Clock } from "#life/clock";
import { type Live, mapLive } from "#life/live";
import { K3S_UNSAFE_SYSCTLS } from "#node/admission/sysctls";
import { ownPodNetwork } from "#node/network";
import type { NodeOptions } from "#node/options";
import { runNode } from "#node/run";
import { SERVICE_SOCKET } from "#service/status/serve";
import type { Logger } from "#telemetry/log";
import { Metrics } from "#telemetry/metrics";
import { runCniPlugin } from "./cni-plugin.ts";
import type { NodeConfig } from "./config/config.ts";
import type { KubeletArgs } from "./config/kubelet-args.ts";
import { openContainerRuntime, settleRuntime } from "./container-runtime.ts";
import { settleFabricConfig } from "./fabric-config.ts";
import { openFirewallWatch } from "./firewall-watch.ts";
import { openForeignNetwork } from "./foreign-network.ts";
import type { Life } from "./life.ts";
import { openListedNetwork } from "./listed-network.ts";
import { cloudViewOf } from "./node-marks.ts";
import { ownSignal } from "./own-signal.ts";
import { PodNetworkFollower } from "./pod-network.ts";
import { reservedElsewhere, reservedPorts } from "./reserved-ports.ts";
import { k3sListenIps, retireServiceRouting, runServiceRouting } from "./service-routing.ts";
import { openManifests } from "./static-pods.ts";
import { VERSION } from "./version.ts";

export interface AgentOptions {
  readonly kernel: Kernel;
  readonly node: NodeConfig;
  readonly nodeIps: Live<readonly Ip[]>;
  readonly membership: Membership;
  /** The kubelet's certificate. */
  readonly serving: Live<Certified>;
  readonly imagesDir: string;
  readonly program: Life["program"];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs until aborted, or until a part of it ends with an error. What runs in the kernel and in pods stays behind. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { kernel, node, membership, clock } = options;
  // Three names, as K3s gives a node: its own may see only its own pods, the others all nodes, or all services.
  await using client = clientAs(membership, membership.kubelet, clock);
  await using fabricClient = clientAs(membership, membership.controller, clock);
  await using proxyClient = clientAs(membership, membership.proxy, clock);
  using parts = ownSignal(options.signal);
  const { signal } = parts;
  const watching = { clock, log: options.log.child({ room: "kube" }), signal };
  const nodes = openInformer(fabricClient, NODES, watching);
  const metrics = new Metrics();
  const common = { kernel, client, clock, signal, nodeName: node.name, metrics: () => metrics.expose() };
  const { cluster } = membership;
  const fabric = cluster.flannelBackend === "none" ? undefined : fabricConfig(options);
  tellLeftovers(kernel, options.log.child({ room: "fabric" }));
  if (fabric === undefined) removeDeadEnds(kernel.netlink, options.log.child({ room: "fabric" }));
  const firewalls = openFirewalls(options, { nodes, backend: fabric?.backend });
  const ground =
    fabric === undefined
      ? openForeignNetwork({
          ...options,
          cluster,
          wiresPods: settleRuntime(node.runtime).kind === "process",
          signal,
        })
      : openFabric(
          { ...options, signal },
          { client: fabricClient, nodes, config: fabric, metrics, findings: () => firewalls.findings },
        );
  const pods = runPods(options, { ...common, network: ground.network });
  const routing = keepServices({ ...options, signal }, { client: proxyClient, nodes });
  const tidied =
    fabric === undefined
      ? withdrawEnds({ ...common, client: fabricClient, nodes, log: watching.log })
      : undefined;
  await Promise.all([ground.kept, firewalls.keep({ signal }), pods, tidied, routing]);
}

/** The node's own part, on the runtime it was told to use. */
async function runPods(
  options: AgentOptions,
  common: Pick<NodeOptions, "kernel" | "client" | "clock" | "signal" | "nodeName" | "network" | "metrics">,
): Promise<void> {
  const { node, nodeIps, membership, serving } = options;
  const choice = settleRuntime(node.runtime);
  const { runtime, ended } = await openContainerRuntime(choice, {
    ...options,
    signal: common.signal,
    // Somebody else's network is where its installer has put it.
    network: membership.cluster.flannelBackend === "none" ? undefined : common.network,
    log: options.log.child({ room: "node" }),
  });
  const pods = runNode({
    ...common,
    ...(runtime === undefined ? {} : { runtime }),
    cgroupRoot: node.cgroupRoot,
    nodeIps,
    externalIps: node.externalIps,
    labels: node.labels,
    taints: node.taints,
    ...cloudViewOf(node, membership.cluster, nodeIps),
    clusterDns: node.kubelet.clusterDns ?? membership.cluster.clusterDns,
    clusterDomain: node.kubelet.clusterDomain ?? membership.cluster.clusterDomain,
    ...kubeletOptions(node.kubelet),
    // Pods of ServiceLB pass packets on, which takes them; without it they are nobody's.
    allowedSysctls: [
      ...(membership.cluster.disableServiceLb ? [] : K3S_UNSAFE_SYSCTLS),
      ...node.kubelet.allowedSysctls,
    ],
    staticPods: openManifests(node),
    dataDir: node.dataDir,
    imagesDir: options.imagesDir,
    resolvConf: node.resolvConf,
    tls: mapLive(serving, ({ certPem: cert, keyPem: key }) => ({
      cert,
      key,
      clientCa: membership.clientCaPem,
    })),
    version: VERSION,
    log: options.log.child({ room: "node" }),
  });
  await Promise.all([pods, ended]);
}

/** What was said of the node by a kubelet's arguments. */
function kubeletOptions(kubelet: KubeletArgs): Partial<NodeOptions> {
  const { maxPods, podPids, nodeStatusMs, logs, reservations, seccompDefault, eviction, images } = kubelet;
  return {
    ...(maxPods === undefined ? {} : { maxPods }),
    ...(podPids === undefined ? {} : { podPids }),
    ...(nodeStatusMs === undefined ? {} : { nodeStatusMs }),
    ...(logs.maxBytes === undefined ? {} : { logMaxBytes: logs.maxBytes }),
    ...(logs.maxFiles === undefined ? {} : { logMaxFiles: logs.maxFiles }),
    reservations,
    eviction,
    pullLimits: images.pullLimits,
    imageCollection: images.collection,
    seccompDefault,
  };
}

/** The fabric, and the pods' network that follows it. */
function openFabric(
  options: AgentOptions,
  fabricOptions: Pick<FabricOptions, "client" | "nodes" | "config" | "metrics" | "findings">,
) {
  const { kernel, node, clock, signal } = options;
  const pods = openPodsNetwork(options);
  const fabric = runFabric({
    ...fabricOptions,
    nodeIps: options.nodeIps,
    kernel,
    clock,
    signal,
    nodeName: node.name,
    statusSocket: STATUS_SOCKET,
    log: options.log.child({ room: "fabric" }),
    onReady: (ready) => pods.follow(ready),
  });
  return { network: pods.network, kept: Promise.all([fabric, pods.kept]).then(() => {}) };
}

/** What wires pods to the fabric: Twill's own network, or a list of somebody's own. */
function openPodsNetwork(options: AgentOptions) {
  const { node, clock, signal } = options;
  const { cniConf } = node.fabric;
  const runtime = settleRuntime(node.runtime);
  if (cniConf) return openListedNetwork({ ...options, cniConf, runtime, own: () => followFabric(options) });
  const own = followFabric(options);
  return {
    network: own.opened.then(ownPodNetwork),
    follow: (ready: FabricReady) => own.follow(ready),
    kept: Promise.all([own.keep({ clock, signal }), runCniPlugin(own, options)]).then(() => {}),
  };
}

function fabricConfig({ node, nodeIps, membership, log }: AgentOptions): FabricConfig {
  const room = log.child({ room: "fabric" });
  return settleFabricConfig({ node, nodeIps: nodeIps.current, cluster: membership.cluster, log: room });
}

function openFirewalls(
  options: AgentOptions,
  { nodes, backend }: { nodes: Informer<Node>; backend: FabricBackend | undefined },
) {
  const { nodeIps, membership } = options;
  const { cluster, serverUrl } = membership;
  return openFirewallWatch({
    ...options,
    nodeIps: () => nodeIps.current,
    cluster,
    serverUrl,
    backend,
    nodes,
  });
}

function clientAs({ serverUrl, serverCaPem }: Membership, who: Certified, clock: Clock) {
  const { certPem: cert, keyPem: key } = who;
  return openClient({ server: serverUrl, ca: serverCaPem, cert, key, userAgent: `twill/${VERSION}`, clock });
}

/** Everything of kube-proxy, where the cluster wants it. */
async function keepServices(
  options: AgentOptions,
  { client, nodes }: { client: KubeClient; nodes: Informer<Node> },
): Promise<void> {
  const { kernel, node, nodeIps, membership, clock, signal } = options;
  const log = options.log.child({ room: "service" });
  const { cluster } = membership;
  if (cluster.disableKubeProxy) return retireServiceRouting(kernel, log, "--disable-kube-proxy");
  await runServiceRouting({
    kernel,
    client,
    nodes,
    serviceCidrObjects: openInformer(client, SERVICE_CIDRS, { clock, log, signal }),
    nodeName: node.kubeProxy.nodeName ?? node.name,
    args: node.kubeProxy,
    clusterCidrs: cluster.clusterCidrs,
    serviceCidrs: cluster.serviceCidrs,
    reservedPorts: reservedPorts(membership, nodeIps.current),
    reservedElsewhere: reservedElsewhere(membership),
    listenIps: k3sListenIps(nodeIps.current),
    statusSocket: SERVICE_SOCKET,
    clock,
    log,
    signal,
  });
}

function followFabric({ kernel, nodeIps, membership, log }: AgentOptions): PodNetworkFollower {
  return new PodNetworkFollower({
    kernel,
    reservedPorts: reservedPorts(membership, nodeIps.current),
    bridge: CLAIMS.devices.bridge,
    clusterCidrs: membership.cluster.clusterCidrs,
    ipamDir: "/var/lib/cni/networks",
    log: log.child({ room: "cni" }),
  });
}
