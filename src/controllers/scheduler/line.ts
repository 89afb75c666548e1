import type { Plugin } from "./filters.ts";

/** What happened in the cluster that may make room. */
export type News = "node" | "pod-gone" | "pod-placed";

const HOPES: Readonly<Record<News, (plugin: Plugin) => boolean>> = {
  node: () => true,
  "pod-gone": (plugin) =>
    ["NodePorts", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity"].includes(plugin),
  "pod-placed": (plugin) => ["PodTopologySpread", "InterPodAffinity"].includes(plugin),
};

/** Pods waiting for a node: those to try now, higher priority first and then in order of arrival; and those tried in vain,
 *  until something happens that could help them. */
export class Line {
  readonly #ready = new Map<number, Set<string>>();
  readonly #parked = new Map<string, { readonly priority: number; readonly plugins: ReadonlySet<Plugin> }>();
  #wake: (() => void) | undefined;

  add(key: string, priority: number): void {
    this.remove(key);
    const peers = this.#ready.get(priority) ?? new Set<string>();
    peers.add(key);
    this.#ready.set(priority, peers);
    this.#wake?.();
  }

  /** Sets aside a pod that every node refused, and which filters did. */
  park(key: string, priority: number, plugins: ReadonlySet<Plugin>): void {
    this.#parked.set(key, { priority, plugins });
  }

  remove(key: string): void {
    this.#parked.delete(key);
    for (const [priority, peers] of this.#ready) {
      if (peers.delete(key) && peers.size === 0) this.#ready.delete(priority);
    }
  }

  next(): string | undefined {
    if (this.#ready.size === 0) return undefined;
    const priority = Math.max(...this.#ready.keys());
    const [key] = this.#ready.get(priority) ?? [];
    if (key !== undefined) this.remove(key);
    return key;
  }

  /** Tries again the pods that the news may help; a pod no filter refused only waits for nodes. */
  hear(news: News): void {
    for (const [key, { priority, plugins }] of this.#parked) {
      const mayHelp = plugins.size === 0 ? news === "node" : [...plugins].some(HOPES[news]);
      if (mayHelp) this.add(key, priority);
    }
  }

  retryAll(): void {
    for (const [key, { priority }] of this.#parked) this.add(key, priority);
  }

  /** Resolves when there may be something to try, or when aborted. One waiter only. */
  async whenReady(signal: AbortSignal): Promise<void> {
    if (this.#ready.size > 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#wake = undefined;
  }
}
