import { type Packet, passes } from "./packet.ts";
import type { FilterChain, FilterRule } from "./rule.ts";

/** What a filter does to packets that are alike. */
export type Outcome =
  | { readonly kind: "passes" }
  | {
      readonly kind: "drops";
      /** The chain whose rule or policy it is. */
      readonly chain: string;
      readonly by: "rule" | "policy";
      /** False when some of them may have been accepted before. */
      readonly isCertain: boolean;
      /** Chains that all of them went through, in their order. */
      readonly through: readonly string[];
    };

/** Deeper than the kernel lets chains call each other. */
const DEEPEST = 64;
/** Rules looked at for one kind of packet; who has more is not judged. */
const MOST_RULES = 50_000;

type End =
  | { readonly kind: "accept" | "fell" | "returned" }
  | { readonly kind: "drop"; readonly chain: string };

/** Follows packets through a chain of a hook. A rule that only some of them meet drops none here: what is looked for is what
 *  stops them all. A rule that may accept some leaves the rest in doubt. */
export function walk(base: FilterChain, chains: ReadonlyMap<string, FilterChain>, packet: Packet): Outcome {
  const walker = new Walker(chains, packet);
  const end = walker.chain(base, 0);
  if (end.kind === "accept") return { kind: "passes" };
  const about = { isCertain: !walker.isUnsure, through: walker.through };
  if (end.kind === "drop") return { kind: "drops", chain: end.chain, by: "rule", ...about };
  return base.base?.policy === "drop"
    ? { kind: "drops", chain: base.name, by: "policy", ...about }
    : { kind: "passes" };
}

class Walker {
  readonly #chains: ReadonlyMap<string, FilterChain>;
  readonly #packet: Packet;
  #left = MOST_RULES;
  isUnsure = false;
  readonly through: string[] = [];

  constructor(chains: ReadonlyMap<string, FilterChain>, packet: Packet) {
    this.#chains = chains;
    this.#packet = packet;
  }

  chain(chain: FilterChain, depth: number): End {
    for (const rule of chain.rules) {
      if (--this.#left < 0) return this.#gaveUp();
      const end = this.#rule(rule, chain, depth);
      if (end) return end;
    }
    return { kind: "fell" };
  }

  #rule(rule: FilterRule, chain: FilterChain, depth: number): End | undefined {
    const meets = this.#meets(rule);
    if (meets === "no") return undefined;
    const { action } = rule;
    const isForAll = meets === "yes";
    switch (action.kind) {
      case "none":
        return undefined;
      case "accept":
        return isForAll ? { kind: "accept" } : this.#doubt();
      case "drop":
        return isForAll ? { kind: "drop", chain: chain.name } : undefined;
      case "return":
        return isForAll ? { kind: "returned" } : this.#doubt();
      case "unknown":
        return this.#doubt();
      case "jump":
      case "goto": {
        if (isForAll) this.through.push(action.chain);
        const end = this.#enter(action.chain, depth);
        if (!isForAll) return end.kind === "accept" ? this.#doubt() : undefined;
        if (end.kind === "accept" || end.kind === "drop") return end;
        return action.kind === "goto" ? { kind: "returned" } : undefined;
      }
      default:
        return action satisfies never;
    }
  }

  #enter(name: string, depth: number): End {
    const chain = this.#chains.get(name);
    if (chain === undefined || depth >= DEEPEST) {
      this.isUnsure = true;
      return { kind: "fell" };
    }
    return this.chain(chain, depth + 1);
  }

  #meets({ tests }: FilterRule): "yes" | "no" | "maybe" {
    let answer: "yes" | "maybe" = "yes";
    for (const test of tests) {
      const one = passes(test, this.#packet);
      if (one === "no") return "no";
      if (one === "maybe") answer = "maybe";
    }
    return answer;
  }

  #doubt(): undefined {
    this.isUnsure = true;
    return undefined;
  }

  #gaveUp(): End {
    return { kind: "accept" };
  }
}
