import { parseDuration } from "#life/duration";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { oneArgument, unknownProperty } from "../../plugin.ts";

export interface HealthConfig {
  readonly address: string;
  /** How long to go on answering after being told to stop. */
  readonly lameduckMs: number;
}

export function parseHealth(directive: Directive): HealthConfig {
  const [address = ":8080"] = directive.args;
  if (directive.args.length > 1 || !/:\d+$/.test(address))
    throw new CorefileFault(
      directive,
      `health takes one address such as :8080, not '${directive.args.join(" ")}'`,
    );
  let lameduckMs = 0;
  for (const line of directive.body) {
    if (line.name !== "lameduck") throw unknownProperty(directive, line);
    const duration = parseDuration(oneArgument(line));
    if (duration === undefined || duration < 0)
      throw new CorefileFault(line, `'${line.args[0]}' is not a duration`);
    lameduckMs = duration;
  }
  return { address, lameduckMs };
}
