import { explain, type Fault, isFault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";

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
  /** Reads what stands: at start and after a failure, never on the hot path. */
  observe(): State;
}

export interface ReconcileOptions<Snapshot> {
  /** Newest snapshots; bursts are already collapsed by the cell they come from. */
  readonly snapshots: AsyncIterable<Snapshot>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** After so long a round observes anew, so that what others broke is repaired. Absent: only after failures. */
  readonly resyncMs?: number;
  /** Hears the outcome of every round, for status and tests. */
  readonly onRound?: (round: { readonly ops: number; readonly faults: readonly Fault[] }) => void;
}

/** Runs snapshot -> desired -> plan -> apply until aborted, one round in flight. A round with faults is logged once, then
 *  observed and tried again with growing waits, even when no new snapshot comes. */
export async function reconcile<Snapshot, State, Op>(
  stages: Stages<Snapshot, State, Op>,
  options: ReconcileOptions<Snapshot>,
): Promise<void> {
  const backoff = new Backoff({ firstMs: 100, maxMs: 10_000 });
  let known: State | undefined;
  let latest: { snapshot: Snapshot } | undefined;
  const source = options.snapshots[Symbol.asyncIterator]();
  let next = source.next();
  let retryAt: Promise<"retry"> | undefined;
  let resyncAt = resync(options);
  while (!options.signal.aborted) {
    const timers = [retryAt, resyncAt].filter((timer) => timer !== undefined);
    const woken = await Promise.race([next, ...timers]);
    if (options.signal.aborted) return;
    if (woken === "resync") {
      known = undefined;
      resyncAt = resync(options);
    } else if (woken !== "retry") {
      if (woken.done) return;
      latest = { snapshot: woken.value };
      next = source.next();
    }
    if (!latest) continue;
    const round = runRound(stages, latest.snapshot, known, options.log);
    known = round.known;
    options.onRound?.({ ops: round.ops, faults: round.faults });
    if (round.faults.length === 0) backoff.reset();
    retryAt = round.faults.length === 0 ? undefined : later(backoff.nextMs(), "retry", options);
  }
}

function resync<S>(options: ReconcileOptions<S>): Promise<"resync"> | undefined {
  return options.resyncMs === undefined ? undefined : later(options.resyncMs, "resync", options);
}

function later<S, Name>(ms: number, name: Name, { clock, signal }: ReconcileOptions<S>): Promise<Name> {
  return clock.sleep(ms, { signal }).then(
    () => name,
    () => name,
  );
}

/** A bug ends the loop; only a Fault is caught, and makes the next round observe afresh. */
function runRound<Snapshot, State, Op>(
  stages: Stages<Snapshot, State, Op>,
  snapshot: Snapshot,
  known: State | undefined,
  log: Logger,
): { known: State | undefined; ops: number; faults: readonly Fault[] } {
  try {
    const standing = known ?? stages.observe();
    const ops = stages.plan(stages.desired(snapshot), standing);
    if (ops.length === 0) return { known: standing, ops: 0, faults: [] };
    log.debug("plan", { text: stages.render(ops) });
    const done = stages.apply(ops, standing);
    for (const fault of done.faults)
      log.warn("an operation failed; will try again", { error: explain(fault) });
    return { known: done.faults.length === 0 ? done.state : undefined, ops: ops.length, faults: done.faults };
  } catch (error) {
    if (!isFault(error)) throw error;
    log.warn("a round failed; will try again", { error: explain(error) });
    return { known: undefined, ops: 0, faults: [error] };
  }
}
