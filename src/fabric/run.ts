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
import { desiredFabric, vxlanSettings } from "./desired.ts";
import type { FabricConfig, FabricReady, FabricSnapshot, FabricState, Ground } from "./model.ts";
import { NodeWatch } from "./node-watch.ts";
import { observeFabric } from "./observe.ts";
import type { Standing } from "./own-ends.ts";
import { type Op, planFabric } from "./plan.ts";
import { renderFabric } from "./render.ts";
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
    vni: vxlanSettings(config).vni,
    log,
  });
  const announcer = new Announcer({ ...options, log, onReady: options.onReady });
  const stages = new FabricStages(options.kernel, config, log);
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
  #underlays: Ground["underlays"] = {};
  #snapshot: FabricSnapshot | undefined;
  #state: FabricState | undefined;

  constructor(kernel: Kernel, config: FabricConfig, log: Logger) {
    this.#kernel = kernel;
    this.#config = config;
    this.#bridgeFilter = new BridgeFilter(kernel, log);
  }

  /** The last snapshot, and what the kernel held after its round. */
  get standing(): Standing | undefined {
    const [snapshot, state] = [this.#snapshot, this.#state];
    return snapshot && state && { snapshot, state, underlays: this.#underlays };
  }

  desired(snapshot: FabricSnapshot): FabricState {
    this.#snapshot = snapshot;
    const macs = { ...this.#freshMacs };
    for (const family of FAMILIES) macs[family] = this.#state?.vteps[family]?.mac ?? macs[family];
    const ground = { underlays: this.#underlays, macs, canFilterBridged: this.#bridgeFilter.isThere };
    return desiredFabric(snapshot, ground, this.#config);
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
    return applied;
  }

  observe(): FabricState {
    this.#bridgeFilter.look();
    this.#underlays = observeUnderlays(this.#kernel.netlink, this.#config);
    this.#state = observeFabric(this.#kernel, { clusterCidrs: this.#config.clusterCidrs });
    return this.#state;
  }
}
