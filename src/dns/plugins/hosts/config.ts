import { isAbsolute, join } from "node:path";
import { parseDuration } from "#life/duration";
import type { Name } from "#wire/dns/name";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { type BlockPlace, oneArgument, unknownProperty, wholeNumber } from "../../plugin.ts";
import { Fallthrough, zonesOr } from "../../zones-argument.ts";

export interface HostsConfig {
  readonly file: string;
  readonly zones: readonly Name[];
  /** Lines in the Corefile itself, in the notation of the file. */
  readonly inline: string;
  readonly ttl: number;
  readonly reloadMs: number;
  readonly hasReverse: boolean;
  readonly fallthrough: Fallthrough;
}

export function parseHosts(directive: Directive, { zones, folder }: BlockPlace): HostsConfig {
  const [file = "/etc/hosts", ...words] = directive.args;
  const inline: string[] = [];
  const config = {
    file: isAbsolute(file) ? file : join(folder, file),
    zones: zonesOr(words, directive, zones),
    ttl: 3600,
    reloadMs: 5000,
    hasReverse: true,
    fallthrough: Fallthrough.never,
  };
  for (const line of directive.body) {
    if (line.name === "ttl") config.ttl = wholeNumber(line, oneArgument(line), 1, 65_535);
    else if (line.name === "no_reverse") config.hasReverse = false;
    else if (line.name === "fallthrough") config.fallthrough = Fallthrough.parse(line);
    else if (line.name === "reload") config.reloadMs = parseReloadMs(line);
    else if (!/^[0-9a-fA-F.:]+$/.test(line.name)) throw unknownProperty(directive, line);
    else if (config.fallthrough !== Fallthrough.never)
      throw new CorefileFault(line, "this line has to come before fallthrough");
    else inline.push([line.name, ...line.args].join(" "));
  }
  return { ...config, inline: inline.join("\n") };
}

function parseReloadMs(line: Directive): number {
  const ms = parseDuration(oneArgument(line));
  if (ms === undefined || ms < 0)
    throw new CorefileFault(line, `invalid duration for reload '${line.args[0]}'`);
  return ms;
}
