import { asError } from "#fault/fault";
import { Backoff, type BackoffShape } from "./backoff.ts";
import type { Clock } from "./clock.ts";

export interface WorkQueueOptions<K> {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly workers: number;
  readonly backoff: BackoffShape;
  /** Brings one key to its desired state; throwing means "again, later". A number asks for another look after that many ms. */
  readonly work: (key: K, options: { signal: AbortSignal }) => Promise<number | undefined>;
  readonly onFailure: (key: K, error: Error, waitMs: number) => void;
}

/** Timers beyond this fire at once in Node; looking early is harmless. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Keys waiting for work: each at most once in line, never worked on twice at a time, and one added while it is being
 *  worked on runs once more afterwards. Failures wait longer each time; a success forgets them. */
export class WorkQueue<K> {
  readonly #options: WorkQueueOptions<K>;
  readonly #waiting = new Set<K>();
  readonly #active = new Set<K>();
  readonly #again = new Set<K>();
  readonly #backoffs = new Map<K, Backoff>();
  readonly #timers = new Map<K, { readonly dueAt: number; readonly cancel: AbortController }>();
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions<K>) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.#stop(), { once: true });
  }

  add(key: K): void {
    if (this.#options.signal.aborted) return;
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#pump();
  }

  /** Adds the key after `ms`; an earlier pending time for it is kept. */
  addAfter(key: K, ms: number): void {
    const { clock, signal } = this.#options;
    const dueAt = clock.now() + ms;
    const pending = this.#timers.get(key);
    if (signal.aborted || (pending !== undefined && pending.dueAt <= dueAt)) return;
    pending?.cancel.abort();
    const cancel = new AbortController();
    this.#timers.set(key, { dueAt, cancel });
    void clock.sleep(Math.min(ms, LONGEST_TIMER_MS), { signal: cancel.signal }).then(
      () => {
        this.#timers.delete(key);
        this.add(key);
      },
      () => {},
    );
  }

  /** Resolves once nothing waits or runs; timers of failed keys do not count. */
  whenIdle(): Promise<void> {
    if (this.#waiting.size + this.#active.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#active.size >= this.#options.workers) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      void this.#run(key);
    }
  }

  async #run(key: K): Promise<void> {
    try {
      const againMs = await this.#options.work(key, { signal: this.#options.signal });
      this.#backoffs.delete(key);
      if (typeof againMs === "number") this.addAfter(key, againMs);
    } catch (thrown) {
      if (!this.#options.signal.aborted) this.#failed(key, asError(thrown));
    } finally {
      this.#active.delete(key);
      if (this.#again.delete(key)) this.#waiting.add(key);
      if (this.#options.signal.aborted) this.#waiting.clear();
      this.#pump();
      if (this.#waiting.size + this.#active.size === 0) this.#settle();
    }
  }

  #failed(key: K, error: Error): void {
    const backoff = this.#backoffs.get(key) ?? new Backoff(this.#options.backoff);
    this.#backoffs.set(key, backoff);
    const waitMs = backoff.nextMs();
    this.#options.onFailure(key, error, waitMs);
    this.addAfter(key, waitMs);
  }

  #settle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #stop(): void {
    for (const { cancel } of this.#timers.values()) cancel.abort();
    this.#timers.clear();
    this.#waiting.clear();
    if (this.#active.size === 0) this.#settle();
  }
}
