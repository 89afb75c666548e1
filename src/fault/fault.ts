/** Plain facts about a failure, for the log line and for `-o json`. */
export type Detail = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The one base of everything a loop may catch: a code from a room's literal union, facts, and the cause.
 *  A broken invariant is a plain `Error` instead, and ends the process. */
export class Fault<Code extends string = string> extends Error {
  readonly code: Code;
  readonly detail: Detail;

  constructor(code: Code, message: string, options: { detail?: Detail; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fault";
    this.code = code;
    this.detail = options.detail ?? {};
  }
}

/** The sentence of an error and of everything that caused it, outermost first. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 8; depth++) {
    const message = at instanceof Error ? at.message : String(at);
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}

/** An error as an Error, whatever was thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}
