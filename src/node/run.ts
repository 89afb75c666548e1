import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Ip } from "#addr/ip";
import { explain } from "#fault/fault";
import { openEventRecorder } from "#kube/event-recorder";
import { openInformer } from "#kube/open-informer";
import { milliOf } from "#kube/quantity";
import { NODES, PODS, SERVICES } from "#kube/resources";
import { always, mapLive } from "#life/live";
import { wholeOf } from "./cgroup/amounts.ts";
import { openPodCgroups } from "./cgroup/pod-cgroups.ts";
import { ImageCollector } from "./image/image-collector.ts";
import { imageDiskOf } from "./image/image-disk.ts";
import { PullRecords } from "./image/pull-records.ts";
import { Pulls } from "./image/pulls.ts";
import { keepLogs, linkStarted } from "./logs/keep-logs.ts";
import { DEFAULT_LIMITS, type RotationLimits } from "./logs/rotation.ts";
import type { PodNetwork } from "./network.ts";
import { followNetwork, nodeComplaints, wiringComplaint } from "./network-condition.ts";
import { knownImages } from "./object/known-images.ts";
import { keepLease } from "./object/lease.ts";
import { kubeArch, readSystemInfo } from "./object/node-facts.ts";
import { NodeReporter } from "./object/node-reporter.ts";
import type { NodeOptions } from "./options.ts";
import type { PodContext } from "./pod/context.ts";
import { PodWorkers } from "./pod/workers.ts";
import { openEvictor } from "./pressure/open-evictor.ts";
import { ProbeCounts } from "./probe/probe-counts.ts";
import { openProcessRuntime } from "./runtime/process/runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { openKubeletServer } from "./server/kubelet-server.ts";
import { kubeletConfiguration, readSettings } from "./settings.ts";
import { openStatics } from "./static/open-statics.ts";
import { Sampler } from "./stats/sampler.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { References } from "./volume/references.ts";
import { Tokens } from "./volume/tokens.ts";
import { Volumes } from "./volume/volumes.ts";

export type { NodeOptions } from "./options.ts";

const KUBELET_PORT = 10250;
const VERSION = "v1.36.1+twill1";
/** How long a node that was Ready when its agent ended stays so while the next one looks for the pod network; the status is
 *  computed again every ten seconds, so this is told by the first of these. */
const TAKEOVER_MS = 8_000;

/** Is the node's part of the cluster until aborted: registers the Node, keeps its lease, runs the pods assigned to it and
 *  answers for them on port 10250. Running pods outlive it. @throws {Fault} "ListenFailed" */
export async function runNode(options: NodeOptions): Promise<void> {
  const { client, clock, signal, nodeName } = options;
  const log = options.log.child({ room: "node" });
  const base = { clock, log, signal };
  const settings = readSettings(options);
  const { allocatable, capacity, podsDir } = settings;
  mkdirSync(podsDir, { recursive: true, mode: 0o750 });
  const listen = options.listen ? always(options.listen) : mapLive(options.nodeIps, listenOn);
  let network = isPromise(options.network) ? undefined : options.network;
  const startedAt = clock.now();

  const pods = openInformer(client, PODS, { fieldSelector: `spec.nodeName=${nodeName}`, ...base });
  const services = openInformer(client, SERVICES, base);
  const own = openInformer(client, NODES, { fieldSelector: `metadata.name=${nodeName}`, ...base });
  const events = openEventRecorder(client, { component: "kubelet", host: nodeName, ...base });
  const runtime = options.runtime ?? openDefaultRuntime(options, () => network);
  const status = new StatusWriter({ client, observed: (uid) => statics.observed(uid), ...base });
  const references = new References({ client, onChange: (uids) => workers.wake(uids), ...base });
  const imageRecords = new PullRecords(join(dirname(podsDir), "image_manager"), base);
  const linksDir = join(dirname(settings.podLogsDir), "containers");
  const probeCounts = new ProbeCounts();
  const context: PodContext = {
    client,
    runtime,
    events,
    status,
    references,
    images: { pulls: new Pulls({ runtime, clock, limits: options.pullLimits }), records: imageRecords },
    volumes: new Volumes({
      ...{ podsDir, references, allocatable, isInMemory: true },
      tokens: new Tokens(client, clock),
      hasImageVolumes: () => runtime.features?.().imageVolumes ?? false,
    }),
    onStarted: (pod, run) => linkStarted(pod, run, { linksDir, log }),
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
    ...{ probeCounts, settings },
    pressures: () => evictor.pressures,
    ...base,
  };
  const workers = new PodWorkers(context);
  const statics = openStatics(options, { pods, workers, node: () => own.get(nodeName) });
  const evictor = openEvictor(options, {
    ...{ settings, runtime, events, workers },
    node: () => own.get(nodeName),
    reclaim: () => collector.removeUnused(),
    onChange: () => void reporter.report().catch(() => {}),
  });
  const images = knownImages(runtime, base);
  const reporter = new NodeReporter({
    client,
    events,
    ...(options.nodeStatusMs === undefined ? {} : { periodMs: options.nodeStatusMs }),
    identity: {
      name: nodeName,
      arch: kubeArch(),
      get nodeIps() {
        return options.nodeIps.current;
      },
      labels: options.labels ?? {},
      taints: options.taints ?? [],
      hasCloudProvider: options.hasCloudProvider ?? false,
      marks: options.marks ?? (() => ({ labels: {}, annotations: {} })),
    },
    state: async () => ({
      capacity,
      allocatable,
      info: readSystemInfo({
        kubelet: options.version ?? VERSION,
        runtime: `${runtime.name}://${runtime.version}`,
      }),
      images: await images(),
      port: listen.current.port,
      features: runtime.features?.(),
      pressures: evictor.pressures,
      complaints: nodeComplaints(network, runtime),
      isSure: clock.now() - startedAt >= TAKEOVER_MS,
    }),
    ...base,
  });

  const collector = new ImageCollector({
    ...{ runtime, clock, log, records: imageRecords, policy: options.imageCollection },
    disk: () => imageDiskOf(runtime),
    warn: (reason, message) => reporter.warn(reason, message),
  });

  void statics.follow(); // They wait for nobody.
  const registered = reporter.register(); // The fabric waits for the Node: first of all.
  // From then on, whatever else takes long: a node that starts over and over is alive all the same.
  const leased = registered.then((node) => keepLease({ client, node, ...base }));
  leased.catch(() => {}); // Awaited below; where something else ends us before, that is what is told.
  const listPods = () => workers.list();
  const server = openKubeletServer({
    listen,
    nodeName,
    tls: options.tls,
    findPod: (namespace, name) => workers.find(namespace, name),
    pods: listPods,
    runtime,
    sampler: new Sampler({ runtime, pods: listPods, dataDir: dirname(podsDir), now: () => clock.now() }),
    nodeLogsDir: dirname(settings.podLogsDir),
    settings: () => kubeletConfiguration(options, listen.current),
    probeMetrics: () => probeCounts.text(),
    otherMetrics: options.metrics ?? (() => ""),
    ...base,
  });
  await Promise.all([registered, server]);
  await Promise.all([reporter.report(), pods.synced, services.synced, own.synced]);
  await runtime.images().then(
    (stored) => imageRecords.takeOver(stored),
    (error: unknown) => log.debug("pulls of an earlier agent are not looked at", { error: explain(error) }),
  );
  workers.follow(pods, { otherPodsKnown: statics.known });
  using _moves = options.nodeIps.subscribe(() => {
    void reporter.move().catch(() => {});
    // Their statuses say where they are.
    workers.wakeAll();
  });
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
  await Promise.all([
    reporter.run(),
    leased,
    status.run(),
    evictor.run(),
    statics.keepMirrors(),
    collector.run({ signal }),
    keepLogs({ runtime, pods: listPods, linksDir, limits: logLimits(options), ...base }),
  ]);
}

function logLimits({ logMaxBytes, logMaxFiles }: NodeOptions): RotationLimits {
  return {
    maxBytes: logMaxBytes ?? DEFAULT_LIMITS.maxBytes,
    maxFiles: logMaxFiles ?? DEFAULT_LIMITS.maxFiles,
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

function listenOn([ip]: readonly Ip[]) {
  if (ip === undefined) throw new Error("broken invariant: a node has at least one address");
  return { ip, port: KUBELET_PORT };
}
