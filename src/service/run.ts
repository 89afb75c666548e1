import type { ChangeKind, NetKernel } from "#kernel/kernel";
import type { EndpointSlice, Node, Service, ServiceCIDR } from "#kube/generated/types";
import type { Change, Informer } from "#kube/informer";
import { Cell } from "#life/cell";
import { type Clock, ticks } from "#life/clock";
import { type ReconcileOptions, reconcile } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { applyServices } from "./apply.ts";
import { DesiredServices, programsOf } from "./controller.ts";
import type { Ground, Place, ServiceConfig, ServiceOp, ServiceState } from "./model.ts";
import { observeServices } from "./observe.ts";
import { planServices } from "./plan.ts";
import type { ServiceProblem } from "./problems.ts";
import { renderServices } from "./render.ts";
import { SliceIndex } from "./slice-index.ts";
import { Surroundings } from "./surroundings.ts";

export type { ServiceConfig } from "./model.ts";

/** How often addresses are read again and the tables looked after, if nothing was heard meanwhile. */
const CHECK_MS = 30_000;

export interface ServiceProxyOptions {
  readonly kernel: Pick<NetKernel, "netlink" | "nft" | "conntrack" | "openChanges">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** All of the cluster's: the own one says where this node is, and all of them who is no stranger. */
  readonly nodes: Informer<Node>;
  /** Ranges of ClusterIPs besides those configured. */
  readonly serviceCidrs?: Informer<ServiceCIDR>;
  readonly nodeName: string;
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onRound?: ReconcileOptions<unknown>["onRound"];
  /** Hears everything that is wrong with objects now, sorted, each time it is something else. */
  readonly onProblems?: (problems: readonly ServiceProblem[]) => void;
}

/** Makes this node route services until aborted. Nothing is programmed before the informers have all there is; what a former
 *  run left in the kernel is taken over as it stands, and stays when this one ends. */
export async function runServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { services, endpointSlices, nodes, serviceCidrs, kernel, config } = options;
  const { clock, log, signal, onRound } = options;
  const touched = new Touched(options);
  try {
    const informers = [services, endpointSlices, nodes, ...(serviceCidrs ? [serviceCidrs] : [])];
    const all = informers.map(({ synced }) => synced);
    await untilSynced(all, signal);
    if (signal.aborted) return;
    const programs = programsOf(config);
    const slices = touched.slices;
    const source = {
      service: (name: string) => services.get(name),
      slices: (name: string) => slices.of(name),
    };
    const desired = new DesiredServices(programs, source, config);
    const tellNew = whenOther(options.onProblems);
    touched.start();
    await Promise.all([
      touched.watch(),
      reconcile<void, ServiceState, ServiceOp>(
        {
          desired: () => {
            const want = desired.update(touched.take(), touched.situation());
            tellNew(desired.problems);
            return want;
          },
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

/** Passes on what is another value than the last one. */
function whenOther<T>(tell: ((value: T) => void) | undefined): (value: T) => void {
  let last: T | undefined;
  return (value) => {
    if (value === last) return;
    last = value;
    tell?.(value);
  };
}

/** Collects which services need another look between two rounds. */
class Touched {
  readonly slices = new SliceIndex();
  readonly #options: ServiceProxyOptions;
  readonly #cell = new Cell<void>();
  readonly #names = new Set<string>();
  readonly #surroundings: Surroundings;
  readonly #stops: (() => void)[];
  #place: Place | undefined;
  #isStarted = false;
  #isCheckDue = false;

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    const { netlink } = options.kernel;
    this.#surroundings = new Surroundings({ ...options, netlink }, () => this.#wake());
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
    this.#surroundings[Symbol.dispose]();
    for (const stop of this.#stops) stop();
  }

  news(): AsyncIterable<void> {
    return this.#cell.values(this.#options);
  }

  /** The services touched since this was last called; all of them after the node's place changed. */
  take(): readonly string[] {
    const { place } = this.#surroundings;
    if (place !== this.#place)
      for (const { metadata } of this.#options.services.list())
        this.#names.add(`${metadata.namespace}/${metadata.name}`);
    this.#place = place;
    const names = [...this.#names];
    this.#names.clear();
    return names;
  }

  situation(): { place: Place; ground: Ground; check: boolean } {
    const check = this.#isCheckDue;
    this.#isCheckDue = false;
    const { place, ground } = this.#surroundings;
    return { place, ground, check };
  }

  async watch(): Promise<void> {
    const { kernel, clock } = this.#options;
    const hear = (kinds: ReadonlySet<ChangeKind>) => {
      const hasMoved = this.#surroundings.lookAtAddresses();
      this.#isCheckDue ||= kinds.has("nftables") || kinds.has("unknown");
      if (hasMoved || this.#isCheckDue) this.#wake();
    };
    using _changes = kernel.openChanges({ links: [], everyAddress: true, nftables: true }, hear);
    // Addresses that this process gives to links of its own are not told to it.
    for await (const _ of ticks(clock, CHECK_MS, this.#options)) hear(new Set(["unknown"]));
  }

  #wake(): void {
    if (this.#isStarted) this.#cell.set();
  }

  #touch(name: string): void {
    this.#names.add(name);
    this.#wake();
  }

  #touchSlice(change: Change<EndpointSlice>): void {
    const object = change.type === "removed" ? undefined : change.object;
    for (const name of this.slices.put(change.key, object)) this.#touch(name);
  }
}

/** Resolves when all have, or as soon as the signal aborts. */
async function untilSynced(synced: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(synced), aborted]);
}
