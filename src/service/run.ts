import type { Ip } from "#addr/ip";
import type { NetKernel } from "#kernel/kernel";
import type { EndpointSlice, Service } from "#kube/generated/types";
import type { Change, Informer } from "#kube/informer";
import { Cell } from "#life/cell";
import { type Clock, ticks } from "#life/clock";
import type { Live } from "#life/live";
import { type ReconcileOptions, reconcile } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { applyServices } from "./apply.ts";
import { DesiredServices, programsOf } from "./controller.ts";
import type { Place, ServiceConfig, ServiceOp, ServiceState } from "./model.ts";
import { observeServices } from "./observe.ts";
import { planServices } from "./plan.ts";
import { renderServices } from "./render.ts";
import { SliceIndex } from "./slice-index.ts";

export type { ServiceConfig } from "./model.ts";

/** How often the node's zone is read again and the tables looked after, if nothing was heard meanwhile. */
const CHECK_MS = 30_000;

export interface ServiceProxyOptions {
  readonly kernel: Pick<NetKernel, "nft" | "conntrack" | "openChanges">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodeName: string;
  /** Addresses NodePorts answer on. */
  readonly nodeIps: Live<readonly Ip[]>;
  /** The node's zone, as it is now. */
  readonly zone?: () => string | undefined;
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onRound?: ReconcileOptions<unknown>["onRound"];
}

/** Makes this node route services until aborted. Nothing is programmed before both informers have all there is; what a
 *  former run left in the kernel is taken over as it stands, and stays when this one ends. */
export async function runServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { services, endpointSlices, kernel, config, clock, log, signal, onRound } = options;
  const touched = new Touched(options);
  try {
    await untilSynced([services.synced, endpointSlices.synced], signal);
    if (signal.aborted) return;
    const programs = programsOf(config);
    const slices = touched.slices;
    const desired = new DesiredServices(programs, {
      service: (name) => services.get(name),
      slices: (name) => slices.of(name),
    });
    touched.start();
    await Promise.all([
      touched.watchPlace(),
      reconcile<void, ServiceState, ServiceOp>(
        {
          desired: () => desired.update(touched.take(), touched.situation()),
          plan: (want, known) => planServices(want, known, { programs, config }),
          render: renderServices,
          apply: (ops, known) => applyServices(ops, known, kernel),
          observe: () => {
            const standing = observeServices(programs, kernel.nft);
            desired.adopt(standing.elements);
            return standing;
          },
        },
        { snapshots: touched.news(), clock, log, signal, ...(onRound ? { onRound } : {}) },
      ),
    ]);
  } finally {
    touched.stop();
  }
}

/** Collects which services need another look between two rounds. */
class Touched {
  readonly slices = new SliceIndex();
  readonly #options: ServiceProxyOptions;
  readonly #cell = new Cell<void>();
  readonly #names = new Set<string>();
  readonly #stops: (() => void)[];
  #place: Place;
  #isStarted = false;
  #isCheckDue = false;

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    this.#place = placeNow(options);
    this.#stops = [
      options.services.subscribe((change) => this.#touch(change.key)),
      options.endpointSlices.subscribe((change) => this.#touchSlice(change)),
    ];
  }

  start(): void {
    this.#isStarted = true;
    this.#cell.set();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  news(): AsyncIterable<void> {
    return this.#cell.values(this.#options);
  }

  /** The services touched since this was last called; all of them after the node's place changed. */
  take(): readonly string[] {
    this.#lookAround();
    const names = [...this.#names];
    this.#names.clear();
    return names;
  }

  situation(): { place: Place; check: boolean } {
    const check = this.#isCheckDue;
    this.#isCheckDue = false;
    return { place: this.#place, check };
  }

  async watchPlace(): Promise<void> {
    const check = () => {
      this.#isCheckDue = true;
      this.#cell.set();
    };
    using _moves = this.#options.nodeIps.subscribe(() => this.#cell.set());
    using _changes = this.#options.kernel.openChanges({ links: [], nftables: true }, check);
    for await (const _ of ticks(this.#options.clock, CHECK_MS, this.#options)) check();
  }

  #lookAround(): void {
    const place = placeNow(this.#options);
    if (JSON.stringify(place) === JSON.stringify(this.#place)) return;
    this.#place = place;
    for (const { metadata } of this.#options.services.list())
      this.#names.add(`${metadata.namespace}/${metadata.name}`);
  }

  #touch(name: string): void {
    this.#names.add(name);
    if (this.#isStarted) this.#cell.set();
  }

  #touchSlice(change: Change<EndpointSlice>): void {
    const object = change.type === "removed" ? undefined : change.object;
    for (const name of this.slices.put(change.key, object)) this.#touch(name);
  }
}

function placeNow({ nodeName, nodeIps, zone }: ServiceProxyOptions): Place {
  return { nodeName, zone: zone?.(), nodeIps: nodeIps.current.toSorted() };
}

/** Resolves when all have, or as soon as the signal aborts. */
async function untilSynced(synced: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(synced), aborted]);
}
