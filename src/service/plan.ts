/** What it takes to get from what stands to what is wanted, in order: program, chains, elements, then connections. */
import { FAMILIES, type Family } from "#addr/family";
import { chainText } from "./chains.ts";
import {
  chainId,
  type ElementChange,
  type Elements,
  type ServiceConfig,
  type ServiceOp,
  type ServiceState,
  setId,
} from "./model.ts";
import { type Program, wipeText } from "./program.ts";
import { elementsText } from "./render.ts";
import { SET_NAMES } from "./sets.ts";

export type Programs = ReadonlyMap<Family, Program>;

/** Nothing to do is no operation. With an equal program nothing is ever loaded, so nothing flaps over a restart. */
export function planServices(
  want: ServiceState,
  known: ServiceState,
  { programs, config }: { programs: Programs; config: ServiceConfig },
): ServiceOp[] {
  const { wish } = want;
  if (!wish || want.revision === undefined)
    throw new Error("broken invariant: only a desired state is planned");
  const ops: ServiceOp[] = wish.check ? [{ op: "check", programs: want.programs }] : [];
  const isNext = known.revision === wish.since || known.revision === want.revision;
  const isStale = (family: Family) => want.programs[family] !== known.programs[family];
  let changes = isNext ? wish.changes : allChanges(want.elements, known.elements);
  const chains = new Set(known.chains);
  for (const [family, program] of programs) {
    const replaces = isStale(family) && known.programs[family] !== undefined;
    const own = changes.filter((change) => change.family === family);
    if (isStale(family)) {
      for (const id of chains) if (id.startsWith(`${family} `)) chains.delete(id);
      for (const chain of program.chains) chains.add(chainId(family, chain));
    }
    const missing = missingChains(own, family, chains);
    const text = missing.map((chain) => chainText(chain, family, config)).join("");
    if (!isStale(family)) {
      if (missing.length > 0) ops.push({ op: "chains", family, chains: missing, text });
      continue;
    }
    // Over another program the elements go in with the new one, so that no packet meets an empty table.
    const elements = replaces ? elementsText(own) : "";
    const load = `${wipeText(family)}${program.text}${text}${elements}`;
    ops.push({ op: "load", family, hash: program.hash, text: load, chains: [...program.chains, ...missing] });
    if (replaces) changes = changes.filter((change) => change.family !== family);
  }
  if (changes.length > 0 || known.revision !== want.revision)
    ops.push({ op: "elements", changes, revision: want.revision });
  const answerers = isNext ? wish.changedAnswerers : wish.answerers;
  if (answerers.size > 0) ops.push({ op: "forget-flows", answerers });
  return ops;
}

/** Chains that added elements lead to and that do not stand yet. */
function missingChains(
  changes: readonly ElementChange[],
  family: Family,
  standing: ReadonlySet<string>,
): string[] {
  const missing = new Set<string>();
  for (const { op, data } of changes) {
    if (op !== "add" || !data.startsWith("goto ")) continue;
    const chain = data.slice("goto ".length);
    if (!standing.has(chainId(family, chain))) missing.add(chain);
  }
  return [...missing].sort();
}

/** Every difference, set by set. */
function allChanges(want: Elements, known: Elements): ElementChange[] {
  const deletes: ElementChange[] = [];
  const adds: ElementChange[] = [];
  for (const family of FAMILIES) {
    for (const set of SET_NAMES) {
      const wanted = want.get(setId(family, set)) ?? NONE;
      const standing = known.get(setId(family, set)) ?? NONE;
      for (const [key, data] of standing)
        if (wanted.get(key) !== data) deletes.push({ op: "delete", family, set, key, data });
      for (const [key, data] of wanted)
        if (standing.get(key) !== data) adds.push({ op: "add", family, set, key, data });
    }
  }
  return [...deletes, ...adds];
}

const NONE: ReadonlyMap<string, string> = new Map();
