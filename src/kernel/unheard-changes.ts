import { isFault } from "#fault/fault";
import { systemClock, ticks } from "#life/clock";
import type { ChangeKind, ChangeScope, NetKernel } from "./kernel.ts";

const LOOK_MS = 500;

/** Looks at what the kernel does not announce (settings of bridges), or only together with every element of every set (nftables):
 *  one request and one small file each (some 10 us), twice a second. */
export class UnheardChanges implements Disposable {
  readonly #kernel: Pick<NetKernel, "nft" | "sysctl">;
  readonly #listener: (kinds: ReadonlySet<ChangeKind>) => void;
  readonly #stop = new AbortController();
  #scope: ChangeScope;
  #generation = 0;
  #settings = "";
  #isLooking = false;

  constructor(ears: {
    readonly scope: ChangeScope;
    readonly listener: (kinds: ReadonlySet<ChangeKind>) => void;
    readonly kernel: Pick<NetKernel, "nft" | "sysctl">;
  }) {
    this.#kernel = ears.kernel;
    this.#listener = ears.listener;
    this.#scope = ears.scope;
    this.follow(ears.scope);
  }

  follow(scope: ChangeScope): void {
    this.#scope = scope;
    this.#look();
    const { nftables = false, settings = [] } = scope;
    if (this.#isLooking || (!nftables && settings.length === 0)) return;
    this.#isLooking = true;
    void this.#keepLooking();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #keepLooking(): Promise<void> {
    for await (const _ of ticks(systemClock, LOOK_MS, this.#stop)) {
      const kinds = this.#look();
      if (kinds.size > 0) this.#listener(kinds);
    }
  }

  /** @returns what is not as it was at the last look */
  #look(): ReadonlySet<ChangeKind> {
    const kinds = new Set<ChangeKind>();
    const { nftables = false, settings = [] } = this.#scope;
    const generation = nftables ? this.#kernel.nft.foreignGeneration() : 0;
    if (generation !== this.#generation) kinds.add("nftables");
    this.#generation = generation;
    const values = settings.map((name) => this.#read(name)).join();
    if (values !== this.#settings) kinds.add("settings");
    this.#settings = values;
    return kinds;
  }

  /** What this kernel does not have may come with a module. */
  #read(name: string): string {
    try {
      return this.#kernel.sysctl.read(name);
    } catch (error) {
      if (isFault(error)) return "";
      throw error;
    }
  }
}
