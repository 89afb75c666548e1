import { isFault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { isApiFault } from "./api-fault.ts";
import type { KubeClient, ListOptions } from "./client.ts";
import type { Informer } from "./informer.ts";
import type { KubeObject, Resource, WatchEvent } from "./object.ts";
import { ObjectCache } from "./object-cache.ts";

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  /** Name to function: which values an object is filed under. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** What is kept of each object; all of it unless given. */
  readonly keep?: (object: T) => T;
  /** Spreads the reconnections of many informers; 0 to 1. */
  readonly random?: () => number;
}

/** An informer that also tells how far it has read. */
export interface LiveInformer<T extends KubeObject> extends Informer<T> {
  /** The newest revision of the resource this copy holds; empty before the first list. */
  readonly resourceVersion: string;
}

const RECONNECT = { firstMs: 20, maxMs: 1_000 };
/** A watch that ends this fast without an event is a refusal in disguise, and must not become a tight loop. */
const VERY_SHORT_MS = 500;

/** Starts keeping a local copy of a resource; it lists, then watches from there until aborted, and survives the server going away. */
export function openInformer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: InformerOptions<T>,
): LiveInformer<T> {
  const cache = new ObjectCache<T>(options.indexes ?? {});
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => {});
  options.signal.addEventListener("abort", () => synced.reject(options.signal.reason), { once: true });
  let isSynced = false;
  const onList = () => {
    isSynced = true;
    synced.resolve();
  };
  const reflector = new Reflector(client, resource, options, cache, onList);
  void reflector.run();
  return {
    synced: synced.promise,
    get isSynced() {
      return isSynced;
    },
    get resourceVersion() {
      return reflector.resourceVersion ?? "";
    },
    get: (key) => cache.get(key),
    list: () => cache.list(),
    byIndex: (index, value) => cache.byIndex(index, value),
    subscribe: (listener) => cache.subscribe(listener),
  };
}

class Reflector<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #resource: Resource<T>;
  readonly #options: InformerOptions<T>;
  readonly #cache: ObjectCache<T>;
  readonly #onList: () => void;
  readonly #backoff = new Backoff(RECONNECT);
  #from: string | undefined;
  /** Set before listeners hear of a change, so that they see how far the copy is. */
  resourceVersion: string | undefined;
  #isAway = false;

  constructor(
    client: KubeClient,
    resource: Resource<T>,
    options: InformerOptions<T>,
    cache: ObjectCache<T>,
    onList: () => void,
  ) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
    this.#cache = cache;
    this.#onList = onList;
  }

  /** Ends when aborted; a bug in a listener ends the process. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (signal.aborted) return;
        if (!isFault(error)) throw error;
        if (isApiFault(error, "Expired", "Gone")) this.#from = undefined;
        else await this.#wait(error);
      }
    }
  }

  async #round(): Promise<void> {
    this.#from ??= await this.#list();
    const startedAt = this.#options.clock.now();
    const { namespace, labelSelector, fieldSelector, signal } = this.#options;
    const from = { namespace, labelSelector, fieldSelector, resourceVersion: this.#from, signal };
    let events = 0;
    for await (const event of this.#client.watch(this.#resource, from)) {
      this.#here();
      events++;
      this.#take(event);
    }
    if (events === 0 && this.#options.clock.now() - startedAt < VERY_SHORT_MS) await this.#pause();
    else this.#here();
  }

  async #list(): Promise<string> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const list = await this.#client.list(this.#resource, { namespace, labelSelector, fieldSelector });
    this.#here();
    this.resourceVersion = list.resourceVersion;
    const { keep } = this.#options;
    this.#cache.replaceAll(keep ? list.items.map(keep) : list.items, this.#onList);
    return list.resourceVersion;
  }

  #take(event: WatchEvent<T>): void {
    const bookmark = event.type === "BOOKMARK";
    this.#from = (bookmark ? event.resourceVersion : event.object.metadata.resourceVersion) ?? "";
    this.resourceVersion = this.#from;
    if (bookmark) return;
    if (event.type === "DELETED") this.#cache.remove(event.object);
    else this.#cache.put(this.#options.keep?.(event.object) ?? event.object);
  }

  /** The server answered: says so if it had been away. */
  #here(): void {
    this.#backoff.reset();
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#options.log.info("watching again", { resource: this.#resource.plural });
  }

  async #wait(error: Error): Promise<void> {
    if (!this.#isAway) {
      this.#isAway = true;
      this.#options.log.warn("cannot watch; will try again", { resource: this.#resource.plural, error });
    }
    await this.#pause();
  }

  async #pause(): Promise<void> {
    const { clock, signal, random = Math.random } = this.#options;
    try {
      await clock.sleep(this.#backoff.nextMs() * (0.5 + random() / 2), { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
