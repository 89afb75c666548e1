import type { Ip } from "#addr/ip";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import { always, type Live } from "#life/live";
import { reconcile } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import type { Metrics } from "#telemetry/metrics";
import { Announcer } from "./announcer.ts";
import { Disturbances } from "./disturbances.ts";
import { GuardWatch } from "./guard-watch.ts";
import type { FabricConfig, FabricReady } from "./model.ts";
import { NodeWatch } from "./node-watch.ts";
import { Prober } from "./probe/prober.ts";
import { probeWork } from "./probe/targets.ts";
import { FabricStages } from "./stages.ts";
import { declareMetrics } from "./status/metrics.ts";
import type { Finding } from "./status/model.ts";
import { RoundTally } from "./status/rounds.ts";
import { serveStatus } from "./status/serve.ts";
import { StatusSource } from "./status/source.ts";

export interface FabricOptions {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly config: FabricConfig;
  /** This node's addresses, where they may change; else those of `config`. */
  readonly nodeIps?: Live<readonly Ip[]>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called when this node's half stands, and again when its subnet or MTU changes. Called again, too, after it has thrown. */
  readonly onReady?: (ready: FabricReady) => void;
  /** Hears every round, for status and tests. */
  readonly onRound?: (round: { readonly ops: number; readonly faults: readonly Error[] }) => void;
  /** A unix socket that tells the status to whoever connects. */
  readonly statusSocket?: string;
  /** What others have found wrong with this machine, for the status. */
  readonly findings?: () => readonly Finding[];
  /** What the fabric measures is declared there. */
  readonly metrics?: Metrics;
}

/** Others' changes are heard at once; this is for what is not heard. */
const RESYNC_MS = 60_000;

/** Keeps this node's pods reachable from the cluster's other nodes until aborted. What stands in the kernel then stays: the
 *  next run takes it over, and packets flow in between. */
export async function runFabric(options: FabricOptions): Promise<void> {
  const { nodes, nodeName, config, clock, signal } = options;
  const log = options.log.child({ room: "fabric" });
  try {
    await nodes.synced;
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  using watch = new NodeWatch({
    nodes,
    nodeName,
    clusterCidrs: config.clusterCidrs,
    vni: config.backend.kind === "vxlan" ? config.backend.vni : undefined,
    log,
  });
  const heard: { ready?: FabricReady } = {};
  const onReady = (ready: FabricReady) => {
    options.onReady?.(ready);
    heard.ready = ready;
  };
  const announcer = new Announcer({ ...options, log, onReady });
  const { nodeIps = always(config.nodeIps) } = options;
  const stages = new FabricStages({ ...options, nodeIps, log });
  const prober = config.probe && new Prober({ ...options, config: config.probe, log });
  const tally = new RoundTally();
  using disturbances = new Disturbances({ ...options, nodeIps });
  const rounds = reconcile(stages, {
    snapshots: watch.snapshots({ signal }),
    clock,
    log,
    signal,
    disturbances: disturbances.values(),
    resyncMs: RESYNC_MS,
    onRound: (round) => {
      const { standing } = stages;
      if (standing) disturbances.follow(standing);
      if (stages.lookAgainMs !== undefined) disturbances.lookIn(stages.lookAgainMs);
      if (round.faults.length === 0 && standing) announcer.stands(standing);
      if (standing) prober?.follow(probeWork(standing, options.kernel.netlink));
      tally.hear(round, standing?.snapshot);
      options.onRound?.(round);
    },
  });
  await Promise.all([
    rounds,
    announcer.run({ signal }),
    prober?.run({ signal }),
    tell({ watch, tally, stages, prober, heard }, { ...options, log }),
  ]);
}

interface Told {
  readonly watch: NodeWatch;
  readonly tally: RoundTally;
  readonly stages: FabricStages;
  readonly prober: Prober | undefined;
  readonly heard: { readonly ready?: FabricReady };
}

/** To people by the log and a socket, to their instruments by metrics. */
async function tell({ watch, tally, stages, prober, heard }: Told, options: FabricOptions): Promise<void> {
  const { kernel, config, metrics, statusSocket: socketPath, log, signal } = options;
  const source = new StatusSource({
    ...options,
    rounds: tally,
    nodes: watch,
    standing: () => stages.standing,
    findings: () => [...(options.findings?.() ?? []), ...stages.findings],
    health: () => prober?.health.list() ?? [],
    mtuBytes: () => heard.ready?.mtuBytes,
  });
  const status = () => source.status();
  if (metrics) declareMetrics(metrics, status);
  const strangers = new GuardWatch({
    ...options,
    nft: kernel.nft,
    isGuarded: config.guard,
    nodeOf: (ip) => watch.views.find(({ addresses }) => addresses.includes(ip))?.name,
  });
  const served = socketPath === undefined ? undefined : serveStatus({ socketPath, status, log, signal });
  await Promise.all([strangers.run({ signal }), served]);
}
