import type { Probe } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import { afterOutcome, INITIAL, type ProbeKind, type ProbeState } from "./probe-state.ts";
import type { ProbeFinding } from "./try-probe.ts";

/** A program that is starting is asked often for this long, so that "ready" is noticed within a tenth of a second; after
 *  that once in each period, as the kubelet does throughout. */
const EAGER_FOR_MS = 15_000;
const EAGER_FIRST_MS = 20;
const EAGER_MAX_MS = 100;
/** Timers may fire a little early. */
const TIMER_SLACK_MS = 5;

/** Before a program is asked whether it still lives, it gets the time to be born. */
const LIVENESS_REST_MS = 1_000;

export interface ProbeLoopOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  /** When the container started: `initialDelaySeconds` counts from there. */
  readonly startedAt: number;
  /** What is believed before the first verdict: what the API says, for a container taken over from an earlier agent. */
  readonly initial?: ProbeState["verdict"] | undefined;
  readonly attempt: (options: { signal: AbortSignal }) => Promise<ProbeFinding>;
  /** Hears each changed verdict, and for liveness and startup every failure beyond the threshold only once. */
  readonly onVerdict: (verdict: ProbeState["verdict"], finding: ProbeFinding) => void;
  /** Hears what each try that counts has found. */
  readonly onOutcome?: (outcome: ProbeFinding["outcome"]) => void;
  /** Hears each failure that counts, each try that could not be made, and what is odd about a success. */
  readonly onNews: (what: "failure" | "unknown" | "warning", output: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Probes one container until aborted. A startup probe ends with its success, liveness and startup with their failure. */
export async function runProbe(options: ProbeLoopOptions): Promise<void> {
  const { kind, probe, clock, signal } = options;
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  let state: ProbeState = { ...INITIAL[kind], verdict: options.initial ?? INITIAL[kind].verdict };
  let eagerMs = EAGER_FIRST_MS;
  const delayMs = (probe.initialDelaySeconds ?? 0) * 1000 || (kind === "liveness" ? LIVENESS_REST_MS : 0);
  await clock.sleep(Math.max(0, options.startedAt + delayMs - clock.now()), options);
  const eagerUntil = clock.now() + EAGER_FOR_MS;
  let countedAt = clock.now();
  while (!signal.aborted) {
    const finding = await options.attempt({ signal });
    if (signal.aborted) return;
    const now = clock.now();
    // What failed too soon after the last failure that counted is as if it had not been asked.
    const isEarly =
      kind !== "liveness" &&
      state.verdict !== "success" &&
      finding.outcome !== "success" &&
      now - countedAt < periodMs - TIMER_SLACK_MS;
    if (!isEarly) {
      const before = state.verdict;
      state = afterOutcome(state, finding.outcome, probe);
      countedAt = now;
      options.onOutcome?.(finding.outcome);
      tellNews(finding, options);
      if (state.verdict !== before) options.onVerdict(state.verdict, finding);
      if (isOver(kind, state)) return;
    }
    const isEager = kind !== "liveness" && state.verdict !== "success" && now < eagerUntil;
    await clock.sleep(isEager ? eagerMs : Math.max(1, countedAt + periodMs - now), options);
    eagerMs = Math.min(EAGER_MAX_MS, eagerMs * 1.5);
  }
}

function isOver(kind: ProbeKind, { verdict }: ProbeState): boolean {
  if (kind === "readiness") return false;
  return verdict === "failure" || (kind === "startup" && verdict === "success");
}

function tellNews({ outcome, output, warning }: ProbeFinding, { onNews }: ProbeLoopOptions): void {
  if (outcome !== "success") onNews(outcome, output);
  else if (warning !== undefined) onNews("warning", warning);
}
