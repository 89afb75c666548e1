import type { Program } from "#lab/launch";

/** What a command gets from the process it runs in. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly program: Program;
  readonly signal: AbortSignal;
}

/** A word after `twill`: resolves to the exit code. */
export interface Command {
  readonly summary: string;
  readonly help: string;
  run(argv: readonly string[], context: CommandContext): Promise<number>;
}
