import { isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { Exchange } from "./exchange.ts";
import { HealthStore } from "./health.ts";
import { lookAt, type Sighting } from "./look.ts";
import { type PeerHealth, type ProbeConfig, type ProbeTarget, targetKey } from "./model.ts";
import { News } from "./news.ts";
import { OffloadKeeper } from "./offload.ts";
import { Schedule, type Turn } from "./schedule.ts";

/** Between the beginnings of two looks; each costs two packets when all is well. */
const GAP_MS = 50;
/** Looks at one time. Those at peers that are silent take seconds each. */
const MOST_LOOKS = 64;

export interface ProberOptions {
  readonly kernel: Pick<NetKernel, "openProbes" | "features">;
  readonly config: ProbeConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the fabric has set up. */
export interface ProbeWork {
  /** The VXLAN tunnels' devices, whether they have peers or not. */
  readonly devices: readonly string[];
  readonly targets: readonly ProbeTarget[];
}

/** Tries the way to every peer with real packets: whether it answers, how fast, what fits, and whether checksums may be left to
 *  the hardware. Where they may not, it turns that off; all else it tells. */
export class Prober {
  readonly health = new HealthStore();
  readonly #options: ProberOptions;
  readonly #schedule = new Schedule();
  readonly #exchange: Exchange;
  readonly #offload: OffloadKeeper;
  readonly #news: News;
  readonly #looks = new Set<Promise<void>>();
  #targets: ReadonlyMap<string, ProbeTarget> = new Map();
  #wake = Promise.withResolvers<void>();

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#exchange = new Exchange(options);
    this.#offload = new OffloadKeeper({ ...options, features: options.kernel.features });
    this.#news = new News(options.log);
  }

  /** Probes `targets` from now on, and no others; called after each round, for a device may have been made anew. */
  follow({ devices, targets }: ProbeWork): void {
    this.#offload.keep(devices);
    const next = new Map(targets.map((target) => [targetKey(target), target]));
    this.#schedule.follow(next);
    this.health.keepOnly(next);
    this.#news.keepOnly(next);
    for (const [key, target] of next) {
      const before = this.#targets.get(key);
      if (before && isSame(before, target)) continue;
      this.#schedule.restart(key);
      this.health.put(unknownYet(target));
    }
    this.#targets = next;
    this.#wake.resolve();
  }

  /** Until aborted. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const stop = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stop.resolve(), { once: true });
    try {
      while (!signal.aborted) await this.#step(stop.promise, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await Promise.allSettled(this.#looks);
  }

  /** Begins one look, or waits until one is due. */
  async #step(stopped: Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const turn = this.#schedule.take(clock.now());
    const target = turn && this.#targets.get(turn.key);
    if (turn && target) {
      this.#begin(turn, target, signal);
      await clock.sleep(GAP_MS, { signal });
      if (this.#looks.size >= MOST_LOOKS) await Promise.race([...this.#looks, stopped]);
      return;
    }
    this.#wake = Promise.withResolvers();
    const waitMs = this.#schedule.waitMs(clock.now());
    const timer = new AbortController();
    const due =
      waitMs === undefined
        ? []
        : [clock.sleep(waitMs, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {})];
    await Promise.race([this.#wake.promise, stopped, ...this.#looks, ...due]);
    timer.abort();
  }

  #begin(turn: Turn, target: ProbeTarget, signal: AbortSignal): void {
    const look = this.#look(turn, target, signal)
      .catch((error: unknown) => this.#fail(turn, error, signal))
      .finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  async #look(turn: Turn, target: ProbeTarget, signal: AbortSignal): Promise<void> {
    const exchange = this.#exchange;
    const before = this.health.get(target.node, target.family) ?? unknownYet(target);
    const isNarrow = before.mtuBytes !== undefined && before.mtuBytes < target.mtuBytes;
    const knownMtuBytes = isNarrow ? before.mtuBytes : undefined;
    const sighting = await lookAt(target, { exchange, signal, knownMtuBytes });
    this.#record(turn, target, sighting, before);
    if (sighting.kind === "seen") await this.#testOffload(turn, target, signal);
    const isSilent = sighting.kind === "silent";
    const silences = this.#schedule.finish(turn, { nowMs: this.#options.clock.now(), isSilent });
    if (this.#schedule.isCurrent(turn)) this.#news.tellReach(target, silences);
  }

  #record(turn: Turn, target: ProbeTarget, sighting: Sighting, before: PeerHealth): void {
    if (!this.#schedule.isCurrent(turn)) return;
    const health: PeerHealth =
      sighting.kind === "silent"
        ? { ...before, reachable: false }
        : {
            ...unknownYet(target),
            reachable: true,
            offload: before.offload,
            lastAnswerMs: this.#options.clock.now(),
            ...(sighting.roundTripUs !== undefined && { roundTripUs: sighting.roundTripUs }),
            ...(sighting.mtuBytes !== undefined && { mtuBytes: sighting.mtuBytes }),
          };
    this.health.put(health);
    if (sighting.kind === "seen" && sighting.mtuBytes !== undefined)
      this.#news.tellMtu(target, sighting.mtuBytes, this.#exchange.knownPathMtu(target.underlay));
  }

  async #testOffload(turn: Turn, target: ProbeTarget, signal: AbortSignal): Promise<void> {
    const offload = await this.#offload.test(target, { exchange: this.#exchange, signal });
    if (!this.#schedule.isCurrent(turn)) return;
    // What is broken is the device's, whoever it is tried with.
    const rows = this.health
      .list()
      .filter((row) => (offload === "broken" ? row.device === target.device : isOf(row, target)));
    for (const row of rows) if (row.offload !== offload) this.health.put({ ...row, offload });
  }

  /** A look that this machine does not allow is not the peer's fault. */
  #fail(turn: Turn, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (!isFault(error)) throw error;
    this.#news.tellUnable(error);
    this.#schedule.finish(turn, { nowMs: this.#options.clock.now(), isSilent: true });
  }
}

function unknownYet({ node, family, kind, device }: ProbeTarget): PeerHealth {
  return { node, family, kind, device, offload: "unknown" };
}

function isOf(row: PeerHealth, { node, family }: ProbeTarget): boolean {
  return row.node === node && row.family === family;
}

function isSame(a: ProbeTarget, b: ProbeTarget): boolean {
  const keys = ["kind", "device", "underlay", "mtuBytes"] as const;
  return keys.every((key) => a[key] === b[key]) && a.to.every((ip, i) => ip === b.to[i]);
}
