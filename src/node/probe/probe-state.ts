import type { Probe } from "#kube/generated/types";

/** What one try of a probe found. `unknown`: it could not be tried, which changes nothing. */
export type ProbeOutcome = "success" | "failure" | "unknown";

export interface ProbeState {
  /** What is believed: changes only after a threshold of equal outcomes in a row. */
  readonly verdict: "success" | "failure" | "undecided";
  readonly outcome: ProbeOutcome;
  /** How many of `outcome` in a row. */
  readonly count: number;
}

export const INITIAL: Readonly<Record<ProbeKind, ProbeState>> = {
  readiness: { verdict: "failure", outcome: "unknown", count: 0 },
  liveness: { verdict: "success", outcome: "unknown", count: 0 },
  startup: { verdict: "undecided", outcome: "unknown", count: 0 },
};

export type ProbeKind = "readiness" | "liveness" | "startup";

/** The state after one more outcome. */
export function afterOutcome(
  state: ProbeState,
  outcome: ProbeOutcome,
  { failureThreshold = 3, successThreshold = 1 }: Pick<Probe, "failureThreshold" | "successThreshold">,
): ProbeState {
  if (outcome === "unknown") return state;
  const count = state.outcome === outcome ? state.count + 1 : 1;
  const threshold = outcome === "success" ? successThreshold : failureThreshold;
  return { verdict: count >= threshold ? outcome : state.verdict, outcome, count };
}
