import { isFault } from "#fault/fault";
import { systemClock, ticks } from "#life/clock";
import type { ChangeKind, ChangeScope, NetKernel } from "./kernel.ts";

const LOOK_MS = 500;

type Listener = (kinds: ReadonlySet<ChangeKind>) => void;
type Looks = Pick<NetKernel, "nft" | "sysctl">;

/** Looks at what the kernel does not announce (settings of bridges), or only together with every element of every set (nftables):
 *  one request and one small file each, twice a second, for all who listen at one kernel handle together. */
export class UnheardChanges implements Disposable {
  readonly #kernel: Looks;
  readonly #followers = new Set<Follower>();
  #looking: AbortController | undefined;
  #generation = 0;

  constructor(kernel: Looks) {
    this.#kernel = kernel;
  }

  add(scope: ChangeScope, listener: Listener): Disposable & { follow(scope: ChangeScope): void } {
    const follower = new Follower(scope, listener);
    this.#followers.add(follower);
    this.#settle(follower);
    return {
      follow: (next) => {
        follower.scope = next;
        this.#settle(follower);
      },
      [Symbol.dispose]: () => {
        this.#followers.delete(follower);
        this.#lookIfNeeded();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#followers.clear();
    this.#lookIfNeeded();
  }

  /** What is there now is no news. */
  #settle(follower: Follower): void {
    follower.compare(this.#look());
    this.#lookIfNeeded();
  }

  #lookIfNeeded(): void {
    const isNeeded = [...this.#followers].some(({ isCurious }) => isCurious);
    if (isNeeded === (this.#looking !== undefined)) return;
    this.#looking?.abort();
    this.#looking = isNeeded ? new AbortController() : undefined;
    if (this.#looking) void this.#keepLooking(this.#looking);
  }

  async #keepLooking(until: AbortController): Promise<void> {
    for await (const _ of ticks(systemClock, LOOK_MS, until)) {
      const look = this.#look();
      for (const follower of [...this.#followers]) {
        const kinds = follower.compare(look);
        // One who listened may have made another one stop.
        if (kinds.size > 0 && this.#followers.has(follower)) follower.listener(kinds);
      }
    }
  }

  #look(): Look {
    const all = [...this.#followers];
    const names = new Set(all.flatMap(({ scope }) => scope.settings ?? []));
    return {
      generation: all.some(({ scope }) => scope.nftables) ? this.#readGeneration() : 0,
      settings: new Map([...names].map((name) => [name, this.#read(name)])),
    };
  }

  /** What cannot be read now can be at the next look. */
  #readGeneration(): number {
    try {
      this.#generation = this.#kernel.nft.foreignGeneration();
    } catch (error) {
      if (!isFault(error)) throw error;
    }
    return this.#generation;
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

interface Look {
  readonly generation: number;
  readonly settings: ReadonlyMap<string, string>;
}

/** Somebody who listens, and what there was at the last look. */
class Follower {
  readonly listener: Listener;
  scope: ChangeScope;
  #generation = 0;
  #settings = "";

  constructor(scope: ChangeScope, listener: Listener) {
    this.scope = scope;
    this.listener = listener;
  }

  get isCurious(): boolean {
    const { nftables = false, settings = [] } = this.scope;
    return nftables || settings.length > 0;
  }

  /** @returns what is not as it was, and counts */
  compare(look: Look): ReadonlySet<ChangeKind> {
    const kinds = new Set<ChangeKind>();
    const generation = this.scope.nftables ? look.generation : 0;
    if (generation !== this.#generation) kinds.add("nftables");
    this.#generation = generation;
    const settings = (this.scope.settings ?? []).map((name) => look.settings.get(name)).join();
    if (settings !== this.#settings) kinds.add("settings");
    this.#settings = settings;
    return kinds;
  }
}
