import { dirname } from "node:path";
import type { Name } from "#wire/dns/name";
import { CHAIN } from "./chain.ts";
import { parseAddress } from "./corefile/address.ts";
import { CorefileFault } from "./corefile/fault.ts";
import type { Corefile, Directive, ServerBlock } from "./corefile/parse.ts";
import type { BlockPlace, Opener } from "./plugin.ts";
import { bindAddresses } from "./plugins/bind/index.ts";

/** One server block on one port, with every plugin's lines checked and nothing opened yet. */
export interface SitePlan extends BlockPlace {
  /** Undefined: every address. */
  readonly addresses: readonly (string | undefined)[];
  /** In the order of the chain. */
  readonly openers: readonly { readonly name: string; readonly open: Opener }[];
}

/** What a Corefile asks to run. Pure. @throws {CorefileFault} at the first mistake, by file and line */
export function planSites(corefile: Corefile, options: { defaultPort: number }): readonly SitePlan[] {
  const plans = corefile.blocks.flatMap((block) => planBlock(block, options.defaultPort));
  checkOverlap(corefile.blocks, options.defaultPort);
  return plans;
}

function planBlock(block: ServerBlock, defaultPort: number): SitePlan[] {
  const byPort = new Map<number, Name[]>();
  for (const key of block.keys) {
    for (const { zone, port } of parseAddress(key, block, defaultPort))
      byPort.set(port, [...(byPort.get(port) ?? []), zone]);
  }
  const known = new Set(CHAIN.map(({ name }) => name));
  const stranger = block.directives.find(({ name }) => !known.has(name));
  if (stranger) throw new CorefileFault(stranger, `Unknown directive '${stranger.name}'`);
  const addresses = addressesOf(block);
  return [...byPort].map(([port, zones]) => {
    const place = { zones, port, folder: dirname(block.file) };
    return { ...place, addresses, openers: openersOf(block, place) };
  });
}

function openersOf({ directives }: ServerBlock, place: BlockPlace): SitePlan["openers"] {
  return CHAIN.flatMap(({ name, isRepeatable, configure }) => {
    const [first, ...rest] = directives.filter((directive) => directive.name === name);
    if (first === undefined) return [];
    const [second] = rest;
    if (second && !isRepeatable)
      throw new CorefileFault(second, `plugin/${name}: this plugin can only be used once per Server Block`);
    return [{ name, open: configure([first, ...rest], place) }];
  });
}

function addressesOf({ directives }: ServerBlock): readonly (string | undefined)[] {
  const binds = directives.filter(({ name }) => name === "bind");
  return binds.length === 0 ? [undefined] : binds.flatMap((line: Directive) => bindAddresses(line));
}

function checkOverlap(blocks: readonly ServerBlock[], defaultPort: number): void {
  const seen = new Set<string>();
  for (const block of blocks) {
    for (const key of block.keys) {
      for (const { zone, port } of parseAddress(key, block, defaultPort)) {
        for (const address of addressesOf(block)) {
          const site = `${zone}:${port} on ${address ?? "every address"}`;
          if (seen.has(site))
            throw new CorefileFault(block, `cannot serve dns://${zone}:${port} - it is already defined`);
          seen.add(site);
        }
      }
    }
  }
}
