import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isIp } from "#addr/ip";
import { openEventRecorder } from "#kube/event-recorder";
import { openInformer } from "#kube/open-informer";
import { milliOf } from "#kube/quantity";
import { NODES, PODS, SERVICES } from "#kube/resources";
import { K3S_UNSAFE_SYSCTLS } from "./admission/sysctls.ts";
import { wholeOf } from "./cgroup/amounts.ts";
import { openPodCgroups } from "./cgroup/pod-cgroups.ts";
import { parseResolvConf, type ResolverConfig } from "./files/resolv-conf.ts";
import { keepLogs } from "./logs/keep-logs.ts";
import type { PodNetwork } from "./network.ts";
import { followNetwork, nodeComplaints, wiringComplaint } from "./network-condition.ts";
import { allocatableOf } from "./object/allocatable.ts";
import { keepLease } from "./object/lease.ts";
import { kubeArch, readCapacity, readSystemInfo } from "./object/node-facts.ts";
import { NodeReporter } from "./object/node-reporter.ts";
import type { NodeOptions } from "./options.ts";
import type { PodContext } from "./pod/context.ts";
import { PodWorkers } from "./pod/workers.ts";
import { openProcessRuntime } from "./runtime/process/runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { openKubeletServer } from "./server/kubelet-server.ts";
import { Sampler } from "./stats/sampler.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { References } from "./volume/references.ts";
import { Tokens } from "./volume/tokens.ts";
import { Volumes } from "./volume/volumes.ts";

export type { NodeOptions } from "./options.ts";

const KUBELET_PORT = 10250;
const VERSION = "v1.36.1+twill1";
const MAX_PODS = 110;
/** How long a node that was Ready when its agent ended stays so while the next one looks for the pod network; the status is
 *  computed again every ten seconds, so this is told by the first of these. */
const TAKEOVER_MS = 8_000;

/** Is the node's part of the cluster until aborted: registers the Node, keeps its lease, runs the pods assigned to it and
 *  answers for them on port 10250. Running pods outlive it. @throws {Fault} "ListenFailed" */
export async function runNode(options: NodeOptions): Promise<void> {
  const { client, clock, signal, nodeName } = options;
  const log = options.log.child({ room: "node" });
  const base = { clock, log, signal };
  const podsDir = join(options.dataDir, "agent", "kubelet", "pods");
  mkdirSync(podsDir, { recursive: true, mode: 0o750 });
  const listen = options.listen ?? { ip: firstIp(options), port: KUBELET_PORT };
  let network = isPromise(options.network) ? undefined : options.network;
  const startedAt = clock.now();

  const pods = openInformer(client, PODS, { fieldSelector: `spec.nodeName=${nodeName}`, ...base });
  const services = openInformer(client, SERVICES, base);
  const own = openInformer(client, NODES, { fieldSelector: `metadata.name=${nodeName}`, ...base });
  const events = openEventRecorder(client, { component: "kubelet", host: nodeName, ...base });
  const runtime = options.runtime ?? openDefaultRuntime(options, () => network);
  const capacity = readCapacity({ maxPods: options.maxPods ?? MAX_PODS, dataDir: options.dataDir });
  const allocatable = allocatableOf(capacity, options.reservations ?? {});
  const status = new StatusWriter({ client, observed: (uid) => workers.get(uid), ...base });
  const references = new References({ client, onChange: (uids) => workers.wake(uids), ...base });
  const context: PodContext = {
    client,
    runtime,
    events,
    status,
    references,
    volumes: new Volumes({
      ...{ podsDir, references, allocatable, isInMemory: true },
      tokens: new Tokens(client, clock),
    }),
    cgroups: openPodCgroups({
      root: options.cgroupRoot ?? "",
      allocatable: { cpuMilli: milliOf(allocatable["cpu"]), memoryBytes: wholeOf(allocatable["memory"]) },
      podPids: options.podPids,
      clock,
      log,
    }),
    services: () => services.list(),
    node: () => own.get(nodeName),
    networkComplaint: () => wiringComplaint(network, runtime),
    settings: {
      nodeName,
      hostIps: [...options.nodeIps, ...(options.externalIps ?? [])],
      clusterDns: options.clusterDns,
      clusterDomain: options.clusterDomain,
      allocatable,
      capacity,
      seccomp: {
        dir: join(options.dataDir, "agent", "kubelet", "seccomp"),
        isDefault: options.seccompDefault ?? false,
      },
      allowedSysctls: options.allowedSysctls ?? K3S_UNSAFE_SYSCTLS,
      podLogsDir: options.podLogsDir ?? "/var/log/pods",
      podsDir,
      nodeResolver: () => nodeResolver(options.resolvConf ?? "/etc/resolv.conf"),
    },
    ...base,
  };
  const workers = new PodWorkers(context);
  const reporter = new NodeReporter({
    client,
    events,
    identity: {
      name: nodeName,
      arch: kubeArch(),
      nodeIps: options.nodeIps,
      externalIps: options.externalIps ?? [],
      labels: options.labels ?? {},
      taints: options.taints ?? [],
      hasCloudProvider: options.hasCloudProvider ?? false,
    },
    state: () => ({
      capacity,
      allocatable,
      info: readSystemInfo({
        kubelet: options.version ?? VERSION,
        runtime: `${runtime.name}://${runtime.version}`,
      }),
      port: listen.port,
      complaints: nodeComplaints(network, runtime),
      isSure: clock.now() - startedAt >= TAKEOVER_MS,
    }),
    ...base,
  });

  const registered = reporter.register(); // The fabric waits for the Node: first of all.
  const listPods = () => workers.list();
  const server = openKubeletServer({
    listen,
    nodeName,
    tls: options.tls,
    findPod: (namespace, name) => workers.find(namespace, name),
    pods: listPods,
    runtime,
    sampler: new Sampler({ runtime, pods: listPods, dataDir: options.dataDir, now: () => clock.now() }),
    nodeLogsDir: dirname(context.settings.podLogsDir),
    settings: kubeletSettings(options, listen),
    probeMetrics: () => "",
    ...base,
  });
  const [node] = await Promise.all([registered, server]);
  await Promise.all([reporter.report(), pods.synced, services.synced, own.synced]);
  workers.follow(pods);
  void followNetwork(options.network, {
    runtime,
    signal,
    onFound: async (found) => {
      network = found;
      await found.collect(new Set(sandboxIds(runtime)));
    },
    onChange: async (complaint) => {
      if (complaint === undefined) workers.wakeAll();
      await reporter.report();
      if (complaint !== undefined) return log.warn("the node is not ready", { node: nodeName, complaint });
      log.info("the node is ready", { node: nodeName });
      options.onReady?.();
    },
  }).catch((error: unknown) => {
    if (!signal.aborted) log.error("the pod network could not be taken up", { error });
  });
  const linksDir = join(dirname(context.settings.podLogsDir), "containers");
  await Promise.all([
    reporter.run(),
    keepLease({ client, node, ...base }),
    status.run(),
    keepLogs({ runtime, pods: listPods, linksDir, ...base }),
  ]);
}

/** What `/configz` shows, by KubeletConfiguration's names. */
function kubeletSettings(
  options: NodeOptions,
  listen: { ip: string; port: number },
): Record<string, unknown> {
  return {
    address: listen.ip,
    port: listen.port,
    clusterDomain: options.clusterDomain,
    clusterDNS: options.clusterDns,
    maxPods: options.maxPods ?? MAX_PODS,
    resolvConf: options.resolvConf ?? "/etc/resolv.conf",
    containerLogMaxSize: "10Mi",
    containerLogMaxFiles: 5,
  };
}

function openDefaultRuntime(options: NodeOptions, network: () => PodNetwork | undefined): Runtime {
  const { kernel, clock, log, signal } = options;
  return openProcessRuntime({
    kernel,
    stateDir: join(options.dataDir, "agent", "process"),
    ...(options.imagesDir === undefined ? {} : { imagesDir: options.imagesDir }),
    netnsDir: options.netnsDir ?? "/run/netns",
    network,
    clock,
    log,
    signal,
  });
}

function isPromise(network: PodNetwork | Promise<PodNetwork>): network is Promise<PodNetwork> {
  return network instanceof Promise;
}

/** All that hold an address: also those whose namespaces are gone, until their pod has been taken care of. */
function sandboxIds(runtime: Runtime): readonly string[] {
  return runtime.podUids().flatMap((uid) => runtime.sandbox(uid)?.id ?? []);
}

function firstIp({ nodeIps }: NodeOptions): NodeOptions["nodeIps"][number] {
  const [ip] = nodeIps;
  if (ip === undefined) throw new Error("broken invariant: a node has at least one address");
  return ip;
}

/** The node's resolvers, without those on its own loopback, which no pod can reach. */
function nodeResolver(path: string): ResolverConfig {
  const found = parseResolvConf(readFileSync(path, "utf8"));
  const reachable = found.servers.filter((server) => isIp(server) && !/^(?:127\.|::1$)/.test(server));
  return { ...found, servers: reachable };
}
