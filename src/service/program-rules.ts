import { createHash } from "node:crypto";
import { FAMILY, type Family } from "#addr/family";
import type { NetKernel } from "#kernel/kernel";
import { chainText, TABLE } from "./chains.ts";
import type { ServiceConfig } from "./model.ts";
import type { Programs } from "./plan.ts";

/** Knows whether the rules that stand are those that were written: anybody may flush a table, or change a chain. */
export class ProgramRules {
  readonly #kernel: Pick<NetKernel, "openFilters">;
  readonly #programs: Programs;
  readonly #config: ServiceConfig;
  /** By family, a digest of the rules as we wrote or took them over. */
  readonly #trusted = new Map<Family, string>();

  constructor(kernel: Pick<NetKernel, "openFilters">, programs: Programs, config: ServiceConfig) {
    this.#kernel = kernel;
    this.#programs = programs;
    this.#config = config;
  }

  /** What stands is our own doing: to be called right after it was. */
  written(family: Family): void {
    this.#trusted.set(family, this.#read(family).digest);
  }

  /** Of a former run's rules only their number in each chain is known. `chains` are those besides the program's. */
  areWhole(family: Family, chains: Iterable<string>): boolean {
    const { digest, counts } = this.#read(family);
    const trusted = this.#trusted.get(family);
    if (trusted !== undefined) return trusted === digest;
    for (const [chain, count] of this.#expected(family, chains))
      if ((counts.get(chain) ?? 0) !== count) return false;
    this.#trusted.set(family, digest);
    return true;
  }

  #read(family: Family): { digest: string; counts: ReadonlyMap<string, number> } {
    using filters = this.#kernel.openFilters();
    const rules = filters.listTableRules({ family: FAMILY[family].nft, table: TABLE });
    const text = JSON.stringify(rules.map(({ chain, expressions }) => [chain, expressions]));
    const digest = createHash("sha256").update(text).digest("base64");
    return { digest, counts: countOf(rules.map(({ chain }) => chain)) };
  }

  #expected(family: Family, chains: Iterable<string>): ReadonlyMap<string, number> {
    const program = this.#programs.get(family);
    const own = new Map(program?.ruleCounts);
    for (const name of chains) {
      if (own.has(name)) continue;
      const lines = chainText(name, family, this.#config).matchAll(/^add rule \S+ \S+ (\S+) /gm);
      for (const [chain, count] of countOf([...lines].map(([, chain = ""]) => chain))) own.set(chain, count);
    }
    return own;
  }
}

function countOf(words: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
