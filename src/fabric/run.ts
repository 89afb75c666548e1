import { randomBytes } from "node:crypto";
import { FAMILIES } from "#addr/family";
import { localMac } from "#addr/mac";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import { reconcile, type Stages } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { Announcer } from "./announcer.ts";
import { applyFabric } from "./apply.ts";
import { BridgeFilter } from "./bridge-filter.ts";
import { desiredFabric } from "./desired.ts";
import { offeredKinds, standingKinds, unableKinds } from "./kinds.ts";
import { Linger } from "./linger.ts";
import {
  type FabricConfig,
  type FabricReady,
  type FabricSnapshot,
  type FabricState,
  type Ground,
  NOTHING,
  PLAIN_GROUND,
} from "./model.ts";
import { NodeWatch } from "./node-watch.ts";
import { observeFabric } from "./observe.ts";
import type { Standing } from "./own-ends.ts";
import { PathLog } from "./path-log.ts";
import { choosePaths, type PathChoice } from "./paths.ts";
import { type Op, planFabric } from "./plan.ts";
import { renderFabric } from "./render.ts";
import { ReversePathWatch } from "./reverse-path.ts";
import { observeUnderlays } from "./underlay.ts";

export interface FabricOptions {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly config: FabricConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called when this node's half stands, and again when its subnet or MTU changes. Called again, too, after it has thrown. */
  readonly onReady?: (ready: FabricReady) => void;
  /** Hears every round, for status and tests. */
  readonly onRound?: (round: { readonly ops: number; readonly faults: readonly Error[] }) => void;
}

/** How soon an entry that something else has removed is back; a look at a hundred peers' entries costs about a millisecond. */
const RESYNC_MS = 5_000;

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
  const announcer = new Announcer({ ...options, log, onReady: options.onReady });
  const stages = new FabricStages({ ...options, log });
  const rounds = reconcile(stages, {
    snapshots: watch.snapshots({ signal }),
    clock,
    log,
    signal,
    resyncMs: RESYNC_MS,
    onRound: (round) => {
      const { standing } = stages;
      if (round.faults.length === 0 && standing) announcer.stands(standing);
      options.onRound?.(round);
    },
  });
  await Promise.all([rounds, announcer.run({ signal })]);
}

/** The pure stages, with what they know of this machine. */
class FabricStages implements Stages<FabricSnapshot, FabricState, Op> {
  readonly #kernel: Kernel;
  readonly #config: FabricConfig;
  /** For devices that have never been announced. Made here once, so that two looks want the same. */
  readonly #freshMacs = { 4: localMac(randomBytes(6)), 6: localMac(randomBytes(6)) };
  readonly #bridgeFilter: BridgeFilter;
  readonly #reversePath = new ReversePathWatch();
  readonly #linger: Linger;
  readonly #paths: PathLog;
  /** As of the last look. */
  #seen: Pick<Ground, "underlays" | "reversePath"> = { ...PLAIN_GROUND, underlays: {} };
  #round: { snapshot: FabricSnapshot; ground: Ground; choice: PathChoice } | undefined;
  #state: FabricState | undefined;

  constructor({ kernel, config, clock, log }: Pick<FabricOptions, "kernel" | "config" | "clock" | "log">) {
    this.#kernel = kernel;
    this.#config = config;
    this.#bridgeFilter = new BridgeFilter(kernel, log);
    this.#linger = new Linger(clock);
    this.#paths = new PathLog(log);
  }

  /** What the last round went by, and what the kernel held after it. */
  get standing(): Standing | undefined {
    return this.#round && this.#state && { ...this.#round, state: this.#state };
  }

  desired(snapshot: FabricSnapshot): FabricState {
    const config = this.#config;
    const ground = this.#ground(snapshot);
    const choice = choosePaths({ snapshot, ground, config });
    this.#round = { snapshot, ground, choice };
    this.#paths.chosen(choice);
    this.#paths.unable(unableKinds({ snapshot, ground, config }), snapshot.peers);
    return desiredFabric(snapshot, ground, config, choice);
  }

  #ground(snapshot: FabricSnapshot): Ground {
    const macs = { ...this.#freshMacs };
    for (const family of FAMILIES) macs[family] = this.#state?.vteps[family]?.mac ?? macs[family];
    const ground: Ground = {
      ...PLAIN_GROUND,
      ...this.#seen,
      macs,
      canFilterBridged: this.#bridgeFilter.isThere,
    };
    const needed = offeredKinds({ snapshot, ground, config: this.#config });
    return { ...ground, lingering: this.#linger.of(standingKinds(this.#state ?? NOTHING), needed) };
  }

  plan(want: FabricState, known: FabricState): readonly Op[] {
    return planFabric(want, known);
  }

  render(ops: readonly Op[]): string {
    return renderFabric(ops);
  }

  apply(ops: readonly Op[], known: FabricState) {
    const applied = applyFabric(ops, known, this.#kernel);
    this.#state = applied.state;
    this.#paths.left(applied.state);
    return applied;
  }

  observe(): FabricState {
    this.#bridgeFilter.look();
    const underlays = observeUnderlays(this.#kernel.netlink, this.#config);
    this.#seen = { underlays, reversePath: this.#reversePath.look(this.#kernel, underlays) };
    this.#state = observeFabric(this.#kernel, { clusterCidrs: this.#config.clusterCidrs });
    return this.#state;
  }
}
