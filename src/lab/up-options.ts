import type { Clock } from "#life/clock";
import type { Program } from "./launch.ts";

/** What `up` is asked for. */
export interface UpOptions {
  readonly name: string;
  /** Undefined: as many as the lab has, or one. */
  readonly nodes: number | undefined;
  readonly isDemo: boolean;
  readonly apiPort: number | undefined;
  readonly pagePort: number | undefined;
  readonly kubeconfig: string | undefined;
  readonly serverFlags: readonly string[];
  /** Those of them that agents take too. */
  readonly agentFlags: readonly string[];
  readonly program: Program;
  readonly write: (text: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}
