import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { unknownProperty } from "../../plugin.ts";

/** Only `round_robin`, the default, is understood. */
export function checkLoadbalance(directive: Directive): void {
  const [policy = "round_robin"] = directive.args;
  if (policy !== "round_robin" || directive.args.length > 1)
    throw new CorefileFault(
      directive,
      `loadbalance has the one policy round_robin here, not '${directive.args.join(" ")}'`,
    );
  const [line] = directive.body;
  if (line !== undefined) throw unknownProperty(directive, line);
}
