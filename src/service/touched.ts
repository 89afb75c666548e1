import type { ChangeKind } from "#kernel/kernel";
import type { EndpointSlice } from "#kube/generated/types";
import type { Change } from "#kube/informer";
import { Cell } from "#life/cell";
import { ticks } from "#life/clock";
import type { Situation } from "./controller.ts";
import type { ForeignLooks } from "./foreign-looks.ts";
import type { Ground, Place } from "./model.ts";
import type { ServiceProxyOptions } from "./run.ts";
import { SliceIndex } from "./slice-index.ts";
import { Surroundings } from "./surroundings.ts";

/** How often addresses are read again and the tables looked after, if nothing was heard meanwhile. */
const CHECK_MS = 30_000;

/** The pod network's addresses come from this process too. */
const SCOPE = { links: [], everyAddress: true, ownAddresses: true, nftables: true } as const;

/** Collects which services need another look between two rounds. */
export class Touched {
  readonly slices = new SliceIndex();
  readonly #options: ServiceProxyOptions;
  readonly #cell = new Cell<void>();
  readonly #names = new Set<string>();
  readonly #surroundings: Surroundings;
  readonly #stops: (() => void)[];
  #place: Place | undefined;
  #ground: Ground | undefined;
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

  /** Whether services wait to be looked at. */
  get hasMore(): boolean {
    this.#lookAround();
    return this.#names.size > 0;
  }

  /** Services to look at, so many at most; all of them sooner or later after the node's place changed. Other Nodes concern only
   *  those at addresses that may be theirs. */
  take(atMost: number): readonly string[] {
    this.#lookAround();
    const names: string[] = [];
    for (const name of this.#names) {
      if (names.length === atMost) break;
      names.push(name);
      this.#names.delete(name);
    }
    return names;
  }

  /** Wakes whoever goes by the news, after everybody else of this thread had a turn. */
  wakeSoon(): void {
    setImmediate(() => this.#wake());
  }

  situation(): Situation {
    const check = this.#isCheckDue;
    this.#isCheckDue = false;
    return { ...this.surroundings, check };
  }

  get surroundings(): Omit<Situation, "check"> {
    const { place, ground } = this.#surroundings;
    return { place, ground };
  }

  #lookAround(): void {
    const { place, ground } = this.#surroundings;
    if (place === this.#place && ground === this.#ground) return;
    const isElsewhere = place !== this.#place;
    this.#place = place;
    this.#ground = ground;
    for (const { metadata, spec, status } of this.#options.services.list())
      if (isElsewhere || spec?.externalIPs?.length || status?.loadBalancer?.ingress?.length)
        this.#names.add(`${metadata.namespace}/${metadata.name}`);
  }

  /** Until aborted. */
  async watch(looks: ForeignLooks): Promise<void> {
    const { kernel, clock } = this.#options;
    const hear = (kinds: ReadonlySet<ChangeKind>) => {
      const hasMoved = this.#surroundings.lookAtAddresses();
      if (kinds.has("nftables") || kinds.has("unknown")) {
        this.#isCheckDue = true;
        looks.disturb();
      }
      if (hasMoved || this.#isCheckDue) this.#wake();
    };
    using _changes = kernel.openChanges(SCOPE, hear);
    for await (const _ of ticks(clock, CHECK_MS, this.#options)) {
      this.#surroundings.lookAtAddresses();
      this.#isCheckDue = true;
      this.#wake();
    }
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
