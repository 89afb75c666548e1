import { explain, Fault, isFault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { LookPace } from "./look-pace.ts";
import { Wakes } from "./wakes.ts";

/** What an apply leaves behind: what is true now, and which operations failed. */
export interface Applied<State> {
  readonly state: State;
  readonly faults: readonly Fault[];
}

/** One room that keeps something outside in step with what is wanted. All but `observe` and `apply` are pure. */
export interface Stages<Snapshot, State, Op> {
  desired(snapshot: Snapshot): State;
  /** Total and ordered: adds before deletes, names before references. Nothing to do is an empty list. */
  plan(want: State, known: State): readonly Op[];
  render(ops: readonly Op[]): string;
  /** Idempotent; absent on delete is success. */
  apply(ops: readonly Op[], known: State): Applied<State>;
  /** Reads what stands: at start and after a failure, never on the hot path. Where there is much to read it may take turns with
   *  others; the snapshot that is acted on is the newest one by then. */
  observe(): State | Promise<State>;
}

export interface ReconcileOptions<Snapshot> {
  /** Newest snapshots; bursts are already collapsed by the cell they come from. */
  readonly snapshots: AsyncIterable<Snapshot>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Yields when somebody else may have changed what stands: the next round observes anew, at once after a quiet time and ten
   *  times a second at most. What it yields is `BY_ITSELF` when something may have come true with time: then what there is to
   *  do is no repair. */
  readonly disturbances?: AsyncIterable<unknown>;
  /** After so long a round observes anew, whatever was heard. Absent: only after failures and disturbances. */
  readonly resyncMs?: number;
  /** Hears the outcome of every round and how long it took, for status and tests. */
  readonly onRound?: (round: Round & { readonly ms: number }) => void;
}

/** Says of a disturbance that nobody else has a part in it. */
export const BY_ITSELF = "by itself";

const TOLD_AT_MOST = 100;

type Reason = "snapshot" | "disturbance" | "time" | "retry" | "resync" | "end";

/** Runs snapshot -> desired -> plan -> apply until aborted, one round in flight. A round with faults is logged once, then
 *  observed and tried again with growing waits, even when no new snapshot comes. */
export async function reconcile<Snapshot, State, Op>(
  stages: Stages<Snapshot, State, Op>,
  options: ReconcileOptions<Snapshot>,
): Promise<void> {
  await new Loop(stages, options).run();
}

class Loop<Snapshot, State, Op> {
  readonly #stages: Stages<Snapshot, State, Op>;
  readonly #options: ReconcileOptions<Snapshot>;
  readonly #wakes = new Wakes<Reason>();
  readonly #backoff = new Backoff({ firstMs: 100, maxMs: 10_000 });
  readonly #pace = new LookPace();
  #known: State | undefined;
  #latest: { snapshot: Snapshot } | undefined;
  #rounds = 0;
  /** Faults since the last round without any. */
  readonly #told = new Set<string>();

  constructor(stages: Stages<Snapshot, State, Op>, options: ReconcileOptions<Snapshot>) {
    this.#stages = stages;
    this.#options = options;
  }

  /** Ends with the source of snapshots, or with an error of any source. */
  async run(): Promise<void> {
    const end = () => this.#wakes.add("end");
    this.#options.signal.addEventListener("abort", end, { once: true });
    try {
      this.#planResync();
      const rounds = this.#runRounds();
      const heard = Promise.all([this.#hearSnapshots(), this.#hearDisturbances()]);
      await Promise.race([rounds, heard.then(() => rounds)]);
    } finally {
      this.#options.signal.removeEventListener("abort", end);
    }
  }

  async #hearSnapshots(): Promise<void> {
    for await (const snapshot of this.#options.snapshots) {
      this.#latest = { snapshot };
      this.#wakes.add("snapshot");
    }
    this.#wakes.add("end");
  }

  /** Those that come while one waits for its turn are answered by the same look. */
  async #hearDisturbances(): Promise<void> {
    const { clock, signal, disturbances = [] } = this.#options;
    for await (const what of disturbances) {
      if (signal.aborted) return;
      if (what === BY_ITSELF) this.#wakes.add("time");
      else await this.#later(this.#pace.waitMs(clock.now()), () => this.#wakes.add("disturbance"));
    }
  }

  async #runRounds(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const reasons = await this.#wakes.take();
      if (signal.aborted || reasons.has("end")) return;
      if (reasons.has("resync")) this.#planResync();
      if (reasons.has("disturbance") || reasons.has("time") || reasons.has("resync")) this.#known = undefined;
      if (this.#latest) await this.#round(reasons);
    }
  }

  async #round(reasons: ReadonlySet<Reason>): Promise<void> {
    const beganMs = performance.now();
    const observed = this.#known ?? this.#observe();
    // What is there at once is acted on at once.
    const standing = observed instanceof Promise ? await observed : observed;
    const latest = this.#latest;
    if (latest === undefined || this.#options.signal.aborted) return;
    const round =
      standing instanceof Fault ? this.#failed(standing) : this.#runRound(latest.snapshot, standing);
    const ms = performance.now() - beganMs;
    this.#known = round.known;
    const number = ++this.#rounds;
    if (reasons.has("disturbance")) this.#keepPace(round, reasons);
    this.#options.onRound?.({ ops: round.ops, faults: round.faults, ms });
    if (round.faults.length === 0) {
      this.#backoff.reset();
      this.#told.clear();
      return;
    }
    const retry = () => {
      if (number === this.#rounds) this.#wakes.add("retry");
    };
    void this.#later(this.#backoff.nextMs(), retry);
  }

  /** A bug ends the loop; only a Fault is caught, and makes the next round observe afresh. */
  #runRound(snapshot: Snapshot, standing: State): RoundOf<State> {
    const { log } = this.#options;
    const stages = this.#stages;
    try {
      const ops = stages.plan(stages.desired(snapshot), standing);
      if (ops.length === 0) return { known: standing, ops: 0, faults: [], text: "" };
      const text = stages.render(ops);
      log.debug("plan", { text });
      const done = stages.apply(ops, standing);
      for (const fault of done.faults) this.#tell("an operation failed; will try again", fault);
      const left = done.faults.length === 0 ? done.state : undefined;
      return { known: left, ops: ops.length, faults: done.faults, text };
    } catch (error) {
      if (!isFault(error)) throw error;
      return this.#failed(error);
    }
  }

  #observe(): State | Fault | Promise<State | Fault> {
    const caught = (error: unknown): Fault => {
      if (!isFault(error)) throw error;
      return error;
    };
    try {
      const observed = this.#stages.observe();
      return observed instanceof Promise ? observed.catch(caught) : observed;
    } catch (error) {
      return caught(error);
    }
  }

  #failed(fault: Fault): RoundOf<State> {
    this.#tell("a round failed; will try again", fault);
    return { known: undefined, ops: 0, faults: [fault], text: "" };
  }

  /** What is waited for may fail many times in the same way: that is worth a line once. */
  #tell(message: string, fault: Fault): void {
    const { log } = this.#options;
    const error = explain(fault);
    if (this.#told.has(error)) log.debug(message, { error });
    else log.warn(message, { error });
    if (this.#told.size < TOLD_AT_MOST) this.#told.add(error);
  }

  /** One repair is worth a line, and so is a fight, once. */
  #keepPace({ ops, faults, text }: Round & { text: string }, reasons: ReadonlySet<Reason>): void {
    const { clock, log } = this.#options;
    // With a new snapshot, or with time, there was something to do anyway.
    const hasRepaired = !reasons.has("snapshot") && !reasons.has("time") && ops + faults.length > 0;
    const first = text.split("\n", 1)[0] ?? "";
    switch (this.#pace.looked(clock.now(), hasRepaired ? first : undefined)) {
      case "begins":
        log.warn(
          "something on this machine undoes again and again what is put right; it is put right once a second",
          { first },
        );
        break;
      case "ends":
        log.info("what is put right stays now");
        break;
      case "none":
        if (hasRepaired && ops > 0)
          log.info("put right what something on this machine had changed", { operations: ops, first });
        break;
      default:
    }
  }

  #planResync(): void {
    const { resyncMs } = this.#options;
    if (resyncMs !== undefined) void this.#later(resyncMs, () => this.#wakes.add("resync"));
  }

  /** Not at all when aborted first. */
  async #later(ms: number, act: () => void): Promise<void> {
    const { clock, signal } = this.#options;
    try {
      if (ms > 0) await clock.sleep(ms, { signal });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    act();
  }
}

type RoundOf<State> = Round & { readonly known: State | undefined; readonly text: string };

interface Round {
  readonly ops: number;
  readonly faults: readonly Fault[];
}
