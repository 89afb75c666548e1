import type { KubeObject } from "#kube/object";
import type { LiveInformer } from "#kube/open-informer";
import { isDeleting } from "#kube/owner";
import type { Clock } from "#life/clock";

const FORGET_AFTER_MS = 5 * 60_000;

interface Page {
  createdAt: number;
  readonly deleted: Map<string, string | undefined>;
  at: number;
}

/** What a controller has itself done to the children of each parent and its informer has not shown yet. Acting again before
 *  that would do everything twice. A record older than five minutes no longer holds anything up. */
export class Ledger<T extends KubeObject> {
  readonly #pages = new Map<string, Page>();
  readonly #informer: LiveInformer<T>;
  readonly #clock: Clock;

  constructor(informer: LiveInformer<T>, clock: Clock) {
    this.#informer = informer;
    this.#clock = clock;
  }

  created(parent: string, child: T): void {
    const page = this.#page(parent);
    page.createdAt = Math.max(page.createdAt, Number(child.metadata.resourceVersion ?? 0));
  }

  deleted(parent: string, childKey: string, uid: string | undefined): void {
    this.#page(parent).deleted.set(childKey, uid);
  }

  /** Whether the informer shows everything that was done so far. */
  isSettled(parent: string): boolean {
    const page = this.#pages.get(parent);
    if (page === undefined) return true;
    for (const [key, uid] of page.deleted) {
      const child = this.#informer.get(key);
      if (child === undefined || child.metadata.uid !== uid || isDeleting(child)) page.deleted.delete(key);
    }
    const isSeen = !(Number(this.#informer.resourceVersion) < page.createdAt);
    const isStale = this.#clock.now() - page.at > FORGET_AFTER_MS;
    if (!isStale && (!isSeen || page.deleted.size > 0)) return false;
    this.#pages.delete(parent);
    return true;
  }

  forget(parent: string): void {
    this.#pages.delete(parent);
  }

  #page(parent: string): Page {
    const page = this.#pages.get(parent) ?? { createdAt: 0, deleted: new Map(), at: 0 };
    page.at = this.#clock.now();
    this.#pages.set(parent, page);
    return page;
  }
}
