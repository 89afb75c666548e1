import type { Family } from "#addr/family";
import { type PeerHealth, targetKey } from "./model.ts";

/** What the last probes found, for whoever shows it. */
export class HealthStore {
  readonly #rows = new Map<string, PeerHealth>();
  readonly #listeners = new Set<(health: PeerHealth) => void>();

  get(node: string, family: Family): PeerHealth | undefined {
    return this.#rows.get(targetKey({ node, family }));
  }

  list(): readonly PeerHealth[] {
    return [...this.#rows.values()];
  }

  /** `listener` hears each new finding. */
  subscribe(listener: (health: PeerHealth) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  put(health: PeerHealth): void {
    this.#rows.set(targetKey(health), health);
    for (const listener of this.#listeners) listener(health);
  }

  /** Forgets the peers that are not among `keys`. */
  keepOnly(keys: Pick<ReadonlySet<string>, "has">): void {
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#rows.delete(key);
  }
}
