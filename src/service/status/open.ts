import type { Logger } from "#telemetry/log";
import type { ServiceProblem } from "../problems.ts";
import { type HeardRound, RoundTally } from "./rounds.ts";
import { serveRouting } from "./serve.ts";
import { answer, type RoutingSourceOptions } from "./source.ts";

export interface RoutingStatusOptions extends Omit<RoutingSourceOptions, "rounds" | "problems"> {
  readonly socketPath: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What answers at the socket, and what it has to hear of. */
export interface OpenedRoutingStatus {
  /** To be called after each round. */
  readonly hearRound: (round: HeardRound) => void;
  /** To be called with all problems, each time they are others. */
  readonly hearProblems: (problems: readonly ServiceProblem[]) => void;
  /** Resolves once aborted. */
  readonly kept: Promise<void>;
}

/** Tells at a socket how this node routes services, until aborted. */
export function openRoutingStatus(options: RoutingStatusOptions): OpenedRoutingStatus {
  const { clock, socketPath, log, signal } = options;
  const rounds = new RoundTally();
  let problems: readonly ServiceProblem[] = [];
  const source: RoutingSourceOptions = { ...options, rounds, problems: () => problems };
  return {
    hearRound: (round) => rounds.hear(round, clock.now()),
    hearProblems: (now) => {
      problems = now;
    },
    kept: serveRouting({ socketPath, answer: (question) => answer(question, source), log, signal }),
  };
}
