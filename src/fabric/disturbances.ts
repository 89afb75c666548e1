import { addressOf, cidrFamily } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { type Ip, isLinkLocal } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { ChangeScope, NetKernel, NetworkChanges } from "#kernel/kernel";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import type { Live } from "#life/live";
import { BY_ITSELF } from "#reconcile/loop";
import { BRIDGED, type FabricConfig } from "./model.ts";
import type { Standing } from "./own-ends.ts";

/** Says when it is time to look at the kernel again: somebody has changed something there, or a time has come. */
export class Disturbances implements Disposable {
  readonly #config: FabricConfig;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #news = new Cell<unknown>();
  readonly #heard = new DisposableStack();
  readonly #changes: NetworkChanges;
  /** When the next look is planned. */
  #plannedAt = Number.POSITIVE_INFINITY;

  constructor(options: {
    readonly kernel: Pick<NetKernel, "openChanges">;
    readonly config: FabricConfig;
    readonly nodeIps: Live<readonly Ip[]>;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  }) {
    this.#config = options.config;
    this.#clock = options.clock;
    this.#signal = options.signal;
    const disturbed = () => this.#news.set(undefined);
    this.#changes = this.#heard.use(options.kernel.openChanges(this.#scope([]), disturbed));
    this.#heard.use(options.nodeIps.subscribe(() => this.#news.set(BY_ITSELF)));
  }

  values(): AsyncGenerator<unknown> {
    return this.#news.values({ signal: this.#signal });
  }

  /** What counts follows from what the last round went by: the link under the tunnels may be another one. */
  follow({ ground }: Pick<Standing, "ground">): void {
    this.#changes.follow(this.#scope(FAMILIES.flatMap((family) => ground.underlays[family] ?? [])));
  }

  /** There is a look `ms` from now at the latest, for what changes by itself. */
  lookIn(ms: number): void {
    const at = this.#clock.now() + ms;
    if (at >= this.#plannedAt) return;
    this.#plannedAt = at;
    void this.#lookLater(ms);
  }

  [Symbol.dispose](): void {
    this.#heard.dispose();
  }

  #scope(underlays: readonly NonNullable<Standing["ground"]["underlays"][4]>[]): ChangeScope {
    const { clusterCidrs } = this.#config;
    const { vxlan, wireguard } = CLAIMS.devices;
    const tunnels = Object.values(vxlan);
    const networks = underlays.flatMap(({ connected }) => connected);
    const links = [...tunnels, ...Object.values(wireguard), ...underlays.map(({ name }) => name)];
    return {
      links: [...new Set(links)],
      // This node's address may come to any link.
      everyAddress: true,
      neighborsOf: tunnels,
      // Which peers are on our own network follows from the routes there. Every link has one for its link-local addresses.
      routesInto: [...clusterCidrs, ...networks.filter((network) => !isLinkLocal(addressOf(network)))],
      nftables: true,
      settings: clusterCidrs.flatMap((cidr) => BRIDGED[cidrFamily(cidr)]),
    };
  }

  async #lookLater(ms: number): Promise<void> {
    try {
      await this.#clock.sleep(ms, { signal: this.#signal });
    } catch (error) {
      if (this.#signal.aborted) return;
      throw error;
    }
    this.#plannedAt = Number.POSITIVE_INFINITY;
    this.#news.set(BY_ITSELF);
  }
}
