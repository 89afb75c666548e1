import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { unknownProperty } from "../../plugin.ts";

/** The address that serves `/metrics`. */
export function parsePrometheus(directive: Directive): string {
  const [address = "localhost:9153"] = directive.args;
  if (directive.args.length > 1 || !/:\d+$/.test(address))
    throw new CorefileFault(
      directive,
      `prometheus takes one address such as :9153, not '${directive.args.join(" ")}'`,
    );
  const [line] = directive.body;
  if (line !== undefined) throw unknownProperty(directive, line);
  return address;
}
