import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Netlink } from "#kernel/kernel";
import type { Live } from "#life/live";
import type { Logger } from "#telemetry/log";
import type { FabricConfig, Underlay } from "./model.ts";
import { observeUnderlays } from "./underlay.ts";

/** Where the tunnels run, by the addresses that this node has now. */
export class UnderlayWatch {
  readonly #netlink: Netlink;
  readonly #config: FabricConfig;
  readonly #nodeIps: Live<readonly Ip[]>;
  readonly #log: Logger;
  readonly #away = new Set<Family>();
  #last: PerFamily<Underlay> = {};

  constructor(options: {
    readonly netlink: Netlink;
    readonly config: FabricConfig;
    readonly nodeIps: Live<readonly Ip[]>;
    readonly log: Logger;
  }) {
    this.#netlink = options.netlink;
    this.#config = options.config;
    this.#nodeIps = options.nodeIps;
    this.#log = options.log;
  }

  /** What tunnels stand on although it is gone, as of the last look. */
  get away(): readonly Underlay[] {
    return [...this.#away].flatMap((family) => this.#last[family] ?? []);
  }

  /** A family whose address is away, while its link is there, keeps what it had: the rest of the fabric is not to wait for it.
   *  DHCP and routers take an address away a moment before they give another. */
  look(): PerFamily<Underlay> {
    const found: { 4?: Underlay; 6?: Underlay } = observeUnderlays(this.#netlink, {
      ...this.#config,
      nodeIps: this.#nodeIps.current,
    });
    for (const family of FAMILIES) {
      const before = this.#last[family];
      const isAway = found[family] === undefined && before !== undefined && this.#stands(before);
      if (isAway) found[family] = before;
      if (isAway && !this.#away.has(family))
        this.#log.warn("this node's address is gone from its link; its tunnel waits for it, or for another", {
          address: before.local,
          link: before.name,
        });
      if (isAway) this.#away.add(family);
      else this.#away.delete(family);
    }
    this.#last = found;
    return found;
  }

  #stands({ name, index }: Underlay): boolean {
    return this.#netlink.findLink(name)?.index === index;
  }
}
