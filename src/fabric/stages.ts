import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { FAMILIES } from "#addr/family";
import type { Ip } from "#addr/ip";
import { localMac } from "#addr/mac";
import type { Kernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import type { Live } from "#life/live";
import type { Stages } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { applyFabric } from "./apply.ts";
import { BridgeFilter } from "./bridge-filter.ts";
import { desiredFabric } from "./desired.ts";
import { offeredKinds, standingKinds, unableKinds } from "./kinds.ts";
import { Linger } from "./linger.ts";
import {
  type FabricConfig,
  type FabricSnapshot,
  type FabricState,
  type Ground,
  NOTHING,
  PLAIN_GROUND,
} from "./model.ts";
import { observeFabric } from "./observe.ts";
import type { Standing } from "./own-ends.ts";
import { PathLog } from "./path-log.ts";
import { choosePaths, type PathChoice } from "./paths.ts";
import { type Op, planFabric } from "./plan.ts";
import { renderFabric } from "./render.ts";
import { ReversePathWatch } from "./reverse-path.ts";
import { RouterAdvice } from "./router-advice.ts";
import type { Finding } from "./status/model.ts";
import { UnderlayWatch } from "./underlay-watch.ts";
import { OwnWireguard } from "./wireguard/own.ts";

/** While a kind lingers, or the kernel refuses a route, or WireGuard stands, which tells nobody what becomes of its peers. */
const LOOK_AGAIN_MS = 5_000;
/** While packets take another way until a WireGuard peer answers. */
const LOOK_WHILE_CALLING_MS = 500;

export interface StagesOptions {
  readonly kernel: Kernel;
  readonly config: FabricConfig;
  readonly nodeIps: Live<readonly Ip[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pure stages, with what they know of this machine. */
export class FabricStages implements Stages<FabricSnapshot, FabricState, Op> {
  readonly #kernel: Kernel;
  readonly #config: FabricConfig;
  /** For devices that have never been announced. Made here once, so that two looks want the same. */
  readonly #freshMacs = { 4: localMac(randomBytes(6)), 6: localMac(randomBytes(6)) };
  readonly #bridgeFilter: BridgeFilter;
  readonly #underlays: UnderlayWatch;
  readonly #routers: RouterAdvice;
  readonly #reversePath: ReversePathWatch;
  readonly #linger: Linger;
  readonly #paths: PathLog;
  readonly #wireguard: OwnWireguard;
  readonly #clock: Clock;
  /** As of the last look. */
  #seen: Pick<Ground, "underlays" | "reversePath"> = { ...PLAIN_GROUND, underlays: {} };
  #round: { snapshot: FabricSnapshot; ground: Ground; choice: PathChoice } | undefined;
  #state: FabricState | undefined;

  constructor({ kernel, config, nodeIps, clock, log }: StagesOptions) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#config = config;
    this.#bridgeFilter = new BridgeFilter(kernel, log);
    this.#routers = new RouterAdvice(kernel, { ...config, log });
    this.#underlays = new UnderlayWatch({ netlink: kernel.netlink, config, nodeIps, log });
    const file = join(dirname(config.subnetFile), "twill-reverse-path");
    this.#reversePath = new ReversePathWatch({ kernel, file, log });
    this.#linger = new Linger(clock);
    this.#paths = new PathLog(log);
    this.#wireguard = new OwnWireguard({ kernel, keyFile: config.wireguardKey, log });
  }

  /** What the last round went by, and what the kernel held after it. */
  get standing(): Standing | undefined {
    return this.#round && this.#state && { ...this.#round, state: this.#state };
  }

  /** When to look again although nobody has changed anything, for something may come true by itself. */
  get lookAgainMs(): number | undefined {
    if (this.#round && isCalling(this.#round)) return LOOK_WHILE_CALLING_MS;
    if ((this.#state?.tunnels.size ?? 0) > 0) return LOOK_AGAIN_MS;
    const isPassing = this.#round !== undefined && this.#round.ground.lingering.size > 0;
    return isPassing || (this.#state?.refused.size ?? 0) > 0 ? LOOK_AGAIN_MS : undefined;
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
    const wanted = [this.#config.backend.kind, ...snapshot.peers.map(({ primary }) => primary)];
    if (wanted.includes("wireguard")) this.#wireguard.look();
    const { why } = this.#wireguard;
    const ground: Ground = {
      ...PLAIN_GROUND,
      ...this.#seen,
      ...this.#wireguard.ground(this.#state),
      unable: new Map(why === undefined ? [] : [["wireguard", why]]),
      macs,
      canFilterBridged: this.#bridgeFilter.isThere,
    };
    const needed = offeredKinds({ snapshot, ground, config: this.#config });
    return { ...ground, lingering: this.#linger.of(standingKinds(this.#state ?? NOTHING), needed) };
  }

  plan(want: FabricState, known: FabricState): readonly Op[] {
    this.#wireguard.wants(want);
    return planFabric(want, known);
  }

  render(ops: readonly Op[]): string {
    return renderFabric(ops);
  }

  apply(ops: readonly Op[], known: FabricState) {
    for (const op of ops)
      if (op.op === "write-sysctl") this.#reversePath.change(op.name, op.value, this.#seen.underlays);
    const applied = applyFabric(ops, known, this.#kernel, this.#wireguard.privateKey);
    if (applied.faults.length > 0) this.#wireguard.failed();
    this.#state = applied.state;
    this.#paths.left(applied.state);
    return applied;
  }

  /** What is wrong with this node's own links. */
  get findings(): readonly Finding[] {
    return this.#underlays.away.map(({ name, local }) => ({
      summary: `${name} has lost ${local}: what peers send there is lost until it is back, or this node gets another`,
      fix: [],
    }));
  }

  observe(): FabricState {
    this.#bridgeFilter.look();
    this.#routers.look();
    const underlays = this.#underlays.look();
    this.#seen = { underlays, reversePath: this.#reversePath.look(underlays) };
    this.#state = observeFabric(this.#kernel, {
      clusterCidrs: this.#config.clusterCidrs,
      nowMs: this.#clock.now(),
    });
    return this.#state;
  }
}

/** Whether packets are to take a way as soon as the peer answers there, which nobody tells. */
function isCalling({ ground, choice }: { readonly ground: Ground; readonly choice: PathChoice }): boolean {
  return choice.ways.some(
    (way) =>
      way.kind === "wireguard" && !ground.answered.has(way.end.publicKey) && !choice.paths.includes(way),
  );
}
