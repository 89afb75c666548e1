import type { Clock } from "#life/clock";
import type { Plugin } from "../filters/candidate.ts";
import type { PodInfo } from "../pod-info.ts";
import type { NamespaceLabels } from "../terms.ts";
import type { ClusterEvent } from "./events.ts";
import { Heap } from "./heap.ts";
import { mayHelp } from "./hints.ts";

/** A pod that wants a node, and how it fared so far. */
export interface Waiting {
  info: PodInfo;
  /** Order of joining among those of one priority. */
  turn: number;
  attempts: number;
  /** Errors in a row: the cluster's fault, not the pod's. */
  errors: number;
  /** What refused it last. */
  plugins: ReadonlySet<Plugin>;
  /** Not tried before this time unless there is nothing else to do; milliseconds since the epoch. */
  notBefore: number;
  parkedAt: number;
  /** Something that may help happened while it was held back. */
  isDue: boolean;
}

/** After an attempt in vain: 1 s, doubled each time, 10 s at most. After an error sooner, for most pass by themselves. */
const BACKOFF_MS = { first: 1_000, max: 10_000 };
const ERROR_BACKOFF_MS = { first: 100, max: 10_000 };
const MAX_PARKED_MS = 300_000;

/** Pods without a node. Ready ones are tried by priority and then in order of joining. One that was tried in vain is parked until something
 *  happens that may help it (or five minutes pass), and then waits out its back-off; but not while nobody else is ready. One that met an
 *  error waits its back-off in any case. */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #namespaceLabels: NamespaceLabels;
  readonly #known = new Map<string, Waiting>();
  readonly #ready = new Heap<Waiting>(
    (a, b) => a.info.priority > b.info.priority || (a.info.priority === b.info.priority && a.turn < b.turn),
  );
  readonly #backingOff = new Heap<Waiting>((a, b) => a.notBefore < b.notBefore);
  readonly #failing = new Heap<Waiting>((a, b) => a.notBefore < b.notBefore);
  readonly #parked = new Set<Waiting>();
  readonly #held = new Set<string>();
  #turns = 0;
  #wake: () => void = () => {};

  constructor({ clock, namespaceLabels }: { clock: Clock; namespaceLabels: NamespaceLabels }) {
    this.#clock = clock;
    this.#namespaceLabels = namespaceLabels;
  }

  get sizes(): { readonly ready: number; readonly backingOff: number; readonly parked: number } {
    return {
      ready: this.#ready.size,
      backingOff: this.#backingOff.size + this.#failing.size,
      parked: this.#parked.size,
    };
  }

  /** Joins, or is tried again because it changed itself. */
  add(info: PodInfo): void {
    const known = this.#known.get(info.uid);
    if (known) {
      known.info = info;
      this.#take(known);
      this.#makeReady(known);
      return;
    }
    const waiting = {
      info,
      turn: 0,
      attempts: 0,
      errors: 0,
      plugins: new Set<Plugin>(),
      notBefore: 0,
      parkedAt: 0,
      isDue: false,
    };
    this.#known.set(info.uid, waiting);
    this.#makeReady(waiting);
  }

  /** Takes note of changes that do not make it worth another attempt. */
  refresh(info: PodInfo): void {
    const known = this.#known.get(info.uid);
    if (known) known.info = info;
  }

  remove(uid: string): void {
    const known = this.#known.get(uid);
    if (known === undefined) return;
    this.#take(known);
    this.#known.delete(uid);
    this.#held.delete(uid);
  }

  /** The next to try; it stays known, in no pool, until it is parked, failed or removed. */
  next(): Waiting | undefined {
    const now = this.#clock.now();
    this.#promote(this.#failing, now);
    this.#promote(this.#backingOff, now);
    const waiting = this.#ready.pop() ?? this.#backingOff.pop();
    if (waiting) waiting.attempts++;
    return waiting;
  }

  /** Sets aside a pod that those filters refused everywhere. */
  park(waiting: Waiting, plugins: ReadonlySet<Plugin>): void {
    if (this.#known.get(waiting.info.uid) !== waiting) return;
    const now = this.#clock.now();
    waiting.plugins = plugins;
    waiting.errors = 0;
    waiting.parkedAt = now;
    waiting.notBefore = now + backoffMs(BACKOFF_MS, waiting.attempts);
    this.#parked.add(waiting);
  }

  /** Sets aside a pod whose placing met an error. */
  fail(waiting: Waiting): void {
    if (this.#known.get(waiting.info.uid) !== waiting) return;
    waiting.errors++;
    waiting.notBefore = this.#clock.now() + backoffMs(ERROR_BACKOFF_MS, waiting.errors);
    this.#failing.push(waiting);
    this.#wake();
  }

  /** Keeps a parked pod out of the way until released: its victims are being told. */
  hold(uid: string): void {
    this.#held.add(uid);
  }

  release(uid: string): void {
    this.#held.delete(uid);
    const known = this.#known.get(uid);
    if (known?.isDue && this.#parked.has(known)) this.#unpark(known);
  }

  hear(event: ClusterEvent): void {
    for (const waiting of this.#parked)
      if (mayHelp(waiting.info, waiting.plugins, event, this.#namespaceLabels)) this.#unpark(waiting);
  }

  /** Whatever the events said, nobody waits for ever. */
  flush(): void {
    const now = this.#clock.now();
    for (const waiting of this.#parked) if (now - waiting.parkedAt >= MAX_PARKED_MS) this.#unpark(waiting);
  }

  /** Tries this one again, whatever refused it. */
  activate(uid: string): void {
    const known = this.#known.get(uid);
    if (known && this.#parked.has(known)) this.#unpark(known);
  }

  /** Resolves when there may be something to try, or when aborted. One waiter only. */
  async whenReady(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#ready.size + this.#backingOff.size > 0) return;
    const nap = new AbortController();
    const wake = () => nap.abort();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    const at = this.#failing.peek()?.notBefore;
    const ms = at === undefined ? MAX_PARKED_MS : Math.max(1, at - this.#clock.now());
    try {
      await this.#clock.sleep(ms, { signal: nap.signal });
    } catch (error) {
      if (!nap.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", wake);
      this.#wake = () => {};
    }
  }

  #promote(from: Heap<Waiting>, now: number): void {
    for (let first = from.peek(); first !== undefined && first.notBefore <= now; first = from.peek()) {
      from.pop();
      this.#ready.push(first);
    }
  }

  #unpark(waiting: Waiting): void {
    if (this.#held.has(waiting.info.uid)) {
      waiting.isDue = true;
      return;
    }
    this.#parked.delete(waiting);
    if (waiting.notBefore <= this.#clock.now()) this.#makeReady(waiting);
    else {
      waiting.turn = ++this.#turns;
      waiting.isDue = false;
      this.#backingOff.push(waiting);
      this.#wake();
    }
  }

  #makeReady(waiting: Waiting): void {
    waiting.turn = ++this.#turns;
    waiting.isDue = false;
    this.#ready.push(waiting);
    this.#wake();
  }

  #take(waiting: Waiting): void {
    this.#parked.delete(waiting);
    this.#ready.delete(waiting);
    this.#backingOff.delete(waiting);
    this.#failing.delete(waiting);
  }
}

function backoffMs({ first, max }: { first: number; max: number }, times: number): number {
  return Math.min(max, first * 2 ** Math.min(Math.max(times, 1) - 1, 10));
}
