import { FAMILY, type Family } from "#addr/family";
import { isFault } from "#fault/fault";
import type { Nft, NftElement } from "#kernel/kernel";
import { TABLE } from "./chains.ts";
import { decodeElement } from "./element-codec.ts";
import { chainId, type Elements, type ServiceState, setId } from "./model.ts";
import type { Programs } from "./plan.ts";
import { SET_NAMES, type SetName } from "./sets.ts";

/** Reads what stands. Of a program that is not ours only the hash is read: its elements may mean something else. */
export function observeServices(programs: Programs, nft: Nft): ServiceState {
  const standing: Partial<Record<Family, string>> = {};
  const chains = new Set<string>();
  const elements = new Map<string, ReadonlyMap<string, string>>();
  for (const [family, program] of programs) {
    const hash = readProgram(family, nft);
    if (hash === undefined) continue;
    standing[family] = hash;
    if (hash !== program.hash) continue;
    for (const chain of program.chains) chains.add(chainId(family, chain));
    for (const [id, of] of readElements(family, nft, chains)) elements.set(id, of);
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

function readElements(family: Family, nft: Nft, chains: Set<string>): Elements {
  const out = new Map<string, Map<string, string>>();
  for (const set of SET_NAMES) {
    if (set === "program") continue;
    const of = new Map<string, string>();
    for (const raw of listSet(family, set, nft) ?? []) {
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
  return unlessAbsent(() => nft.listElements({ family: FAMILY[family].nft, table: TABLE, set }));
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
