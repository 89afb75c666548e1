import { parseDuration } from "#life/duration";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { noArguments, unknownProperty } from "../../plugin.ts";

export type ErrorLevel = "debug" | "info" | "warn" | "error";

/** Failures whose text matches are counted and logged as one line per period. */
export interface Consolidation {
  readonly periodMs: number;
  readonly pattern: RegExp;
  readonly level: ErrorLevel;
}

const LEVELS: Readonly<Record<string, ErrorLevel>> = {
  warning: "warn",
  error: "error",
  info: "info",
  debug: "debug",
};

export function parseErrors(directive: Directive): readonly Consolidation[] {
  // `errors stdout` is the old way to say where to.
  if (directive.args.join() !== "stdout") noArguments(directive);
  const out: Consolidation[] = [];
  for (const line of directive.body) {
    if (line.name === "stacktrace") continue;
    if (line.name !== "consolidate") throw unknownProperty(directive, line);
    out.push(parseConsolidation(line));
  }
  return out;
}

function parseConsolidation(line: Directive): Consolidation {
  const [duration = "", pattern = "", ...words] = line.args;
  const periodMs = parseDuration(duration);
  if (periodMs === undefined || periodMs <= 0)
    throw new CorefileFault(line, `'${duration}' is not a duration`);
  const level = words.find((word) => word !== "show_first") ?? "error";
  if (!Object.hasOwn(LEVELS, level)) throw new CorefileFault(line, `'${level}' is not a log level`);
  try {
    return { periodMs, pattern: new RegExp(pattern), level: LEVELS[level] ?? "error" };
  } catch (error) {
    throw new CorefileFault(line, `'${pattern}' is not a pattern: ${String(error)}`);
  }
}
