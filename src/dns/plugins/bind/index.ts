import { isIp } from "#addr/ip";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { type Plugin, unknownProperty } from "../../plugin.ts";

/** Which addresses a block listens on; read by the server before anything opens. */
export const bind: Plugin = {
  name: "bind",
  configure([directive]) {
    bindAddresses(directive);
    return () => ({});
  },
};

/** @throws {CorefileFault} for what is no address */
export function bindAddresses(directive: Directive): readonly string[] {
  const bad = directive.args.find((word) => !isIp(word));
  if (bad !== undefined || directive.args.length === 0)
    throw new CorefileFault(directive, `bind takes addresses, not '${bad ?? ""}'`);
  const [line] = directive.body;
  if (line !== undefined) throw unknownProperty(directive, line);
  return directive.args;
}
