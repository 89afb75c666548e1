import { parseDuration } from "#life/duration";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";

export interface ReloadConfig {
  readonly everyMs: number;
  readonly jitterMs: number;
}

const MIN_EVERY_MS = 2000;
const MIN_JITTER_MS = 1000;

export function parseReload(directive: Directive): ReloadConfig {
  if (directive.args.length > 2) throw new CorefileFault(directive, "reload takes an interval and a jitter");
  const [everyMs = 30_000, jitterMs = everyMs / 2] = directive.args.map((word) => {
    const duration = parseDuration(word);
    if (duration === undefined) throw new CorefileFault(directive, `'${word}' is not a duration`);
    return duration;
  });
  if (everyMs < MIN_EVERY_MS) throw new CorefileFault(directive, "the interval of reload is at least 2s");
  if (jitterMs < MIN_JITTER_MS) throw new CorefileFault(directive, "the jitter of reload is at least 1s");
  return { everyMs, jitterMs: Math.min(jitterMs, everyMs / 2) };
}
