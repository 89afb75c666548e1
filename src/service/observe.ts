import { FAMILY, type Family } from "#addr/family";
import { isFault } from "#fault/fault";
import type { Nft, NftElement, NftSetRef } from "#kernel/kernel";
import { Turns } from "#life/turns";
import { TABLE } from "./chains.ts";
import { decodeElement } from "./element-codec.ts";
import { chainId, chainsOf, type Elements, type ServiceState, setId } from "./model.ts";
import type { Programs } from "./plan.ts";
import type { ProgramRules } from "./program-rules.ts";
import { SET_NAMES, type SetName } from "./sets.ts";

/** Reads what stands. Of a program that is not ours only the hash is read: its elements may mean something else. One whose
 *  rules are not those that were written is `damaged`, and as good as another one. */
export async function observeServices(
  programs: Programs,
  nft: Nft,
  rules: ProgramRules,
): Promise<ServiceState> {
  const standing: Partial<Record<Family, string>> = {};
  const chains = new Set<string>();
  const elements = new Map<string, ReadonlyMap<string, string>>();
  for (const [family, program] of programs) {
    const hash = readProgram(family, nft);
    if (hash === undefined) continue;
    standing[family] = hash;
    if (hash !== program.hash) continue;
    const own = new Set(program.chains.map((chain) => chainId(family, chain)));
    const found = await readElements(family, nft, own);
    if (!rules.areWhole(family, chainsOf(family, own))) {
      standing[family] = "damaged";
      continue;
    }
    for (const chain of own) chains.add(chain);
    for (const [id, of] of found) elements.set(id, of);
  }
  return { programs: standing, chains, elements };
}

/** The hash of the standing program, `unknown` where a table of our name has none, undefined where there is no table. */
export function readProgram(family: Family, nft: Nft): string | undefined {
  const found = listSet(family, "program", nft)?.[0];
  if (found) return decodeElement(family, "program", found).key;
  return tableStands(family, nft) ? "unknown" : undefined;
}

function tableStands(family: Family, nft: Nft): boolean {
  return unlessAbsent(() => nft.list(`list table ${FAMILY[family].nft} ${TABLE}`)) !== undefined;
}

async function readElements(family: Family, nft: Nft, chains: Set<string>): Promise<Elements> {
  const out = new Map<string, Map<string, string>>();
  const turns = new Turns();
  for (const set of SET_NAMES) {
    if (set === "program") continue;
    const of = new Map<string, string>();
    for (const raw of await nft.listElementsInTurns(refOf(family, set))) {
      await turns.rest();
      const { key, data } = decodeElement(family, set, raw);
      of.set(key, data);
      // An element cannot lead to a chain that does not stand.
      if (data.startsWith("goto ")) chains.add(chainId(family, data.slice("goto ".length)));
    }
    out.set(setId(family, set), of);
  }
  return out;
}

function listSet(family: Family, set: SetName, nft: Nft): readonly NftElement[] | undefined {
  return unlessAbsent(() => nft.listElements(refOf(family, set)));
}

function refOf(family: Family, set: SetName): NftSetRef {
  return { family: FAMILY[family].nft, table: TABLE, set };
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
