import type { Cidr } from "#addr/cidr";
import type { Logger } from "#telemetry/log";
import type { FabricKind, FabricState, Peer } from "./model.ts";
import type { PathChoice } from "./paths.ts";

/** Says what changes of the ways to the peers, each thing once. */
export class PathLog {
  readonly #log: Logger;
  #kinds: ReadonlyMap<string, FabricKind> = new Map();
  #unreachable: ReadonlyMap<string, string> = new Map();
  #refused: ReadonlySet<Cidr> = new Set();
  readonly #unable = new Set<FabricKind>();

  constructor(log: Logger) {
    this.#log = log;
  }

  chosen({ paths, unreachable }: PathChoice): void {
    const now = new Map<string, string>();
    for (const { peer, why } of unreachable) {
      const { node, podCidr } = peer;
      now.set(podCidr, why);
      if (this.#unreachable.get(podCidr) !== why)
        this.#log.warn("a peer cannot be reached", { node, podCidr, why });
    }
    this.#unreachable = now;
    const kinds = new Map<string, FabricKind>();
    for (const { node, family, podCidr, kind } of paths) {
      const before = this.#kinds.get(`${node} ${family}`);
      kinds.set(`${node} ${family}`, kind);
      if (before !== undefined && before !== kind)
        this.#log.info("packets to a peer take another way", { node, podCidr, from: before, to: kind });
    }
    this.#kinds = kinds;
  }

  /** Gateways that the kernel would not take. */
  left({ refused }: Pick<FabricState, "refused">): void {
    for (const [podCidr, { device, via }] of refused)
      if (!this.#refused.has(podCidr))
        this.#log.warn("the kernel finds no way to a peer on its own link; will try again", {
          podCidr,
          device,
          via,
        });
    this.#refused = new Set(refused.keys());
  }

  /** Kinds that this machine cannot have although a peer is set up with them. */
  unable(kinds: ReadonlyMap<FabricKind, string>, peers: readonly Peer[]): void {
    for (const [kind, why] of kinds) {
      if (this.#unable.has(kind) || !peers.some(({ primary }) => primary === kind)) continue;
      this.#unable.add(kind);
      this.#log.warn("a peer is set up with a backend that cannot stand here; others are used with it", {
        backend: kind,
        why,
      });
    }
  }
}
