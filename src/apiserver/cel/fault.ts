import { Fault } from "#fault/fault";

/** `compile`: the expression is wrong. `runtime`: it could not be evaluated on these values. `cost`: it would have taken too long. */
export type CelCode = "compile" | "runtime" | "cost";

/** What is wrong with a CEL expression or its evaluation, in cel-go's words. */
export class CelFault extends Fault<CelCode> {}

export function runtimeFault(message: string): CelFault {
  return new CelFault("runtime", message);
}

export const NO_OVERLOAD = "no such overload";

/** One thing wrong in an expression's text; `at` counts UTF-16 units. */
export interface Issue {
  readonly at: number;
  readonly message: string;
}

/** Thrown while reading tokens, where nothing sensible can follow. */
export class SyntaxIssue extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Every issue with its line and a caret below the place, as cel-go prints them: `ERROR: <input>:1:6: why`. */
export function renderIssues(source: string, issues: readonly Issue[]): string {
  return [...issues]
    .sort((a, b) => a.at - b.at)
    .map((issue) => renderIssue(source, issue))
    .join("\n");
}

function renderIssue(source: string, { at, message }: Issue): string {
  const before = source.slice(0, at).split("\n");
  const column = [...(before.at(-1) ?? "")].length;
  const line = (source.split("\n")[before.length - 1] ?? "").replaceAll("\t", " ");
  return `ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${".".repeat(column)}^`;
}
