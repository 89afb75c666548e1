import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { oneArgument, unknownProperty } from "../../plugin.ts";

export interface ReadyConfig {
  readonly address: string;
  /** Whether a plugin that was ready once is asked again. */
  readonly isContinuous: boolean;
}

export function parseReady(directive: Directive): ReadyConfig {
  const [address = ":8181"] = directive.args;
  if (directive.args.length > 1 || !/:\d+$/.test(address))
    throw new CorefileFault(
      directive,
      `ready takes one address such as :8181, not '${directive.args.join(" ")}'`,
    );
  let isContinuous = false;
  for (const line of directive.body) {
    if (line.name !== "monitor") throw unknownProperty(directive, line);
    const mode = oneArgument(line);
    if (mode !== "continuously" && mode !== "until-ready")
      throw new CorefileFault(line, `monitor is until-ready or continuously, not '${mode}'`);
    isContinuous = mode === "continuously";
  }
  return { address, isContinuous };
}
