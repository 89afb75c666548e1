import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { Fault, isFault } from "#fault/fault";
import type { NetKernel, NftElement, NftElementOp } from "#kernel/kernel";
import type { Applied } from "#reconcile/loop";
import { TABLE } from "./chains.ts";
import { encodeElement } from "./element-codec.ts";
import { chainId, chainsOf, type ElementChange, type ServiceOp, type ServiceState } from "./model.ts";
import { readProgram } from "./observe.ts";
import type { ProgramRules } from "./program-rules.ts";
import type { SetName } from "./sets.ts";
import { forgetStaleFlows } from "./stale-flows.ts";

interface Tools extends Pick<NetKernel, "nft" | "conntrack"> {
  readonly rules: ProgramRules;
}

/** Carries the operations out in order and stops at the first refusal: what follows would build on it. */
export function applyServices(
  ops: readonly ServiceOp[],
  known: ServiceState,
  tools: Tools,
): Applied<ServiceState> {
  let state = known;
  for (const op of ops) {
    try {
      state = applyOp(op, state, tools);
    } catch (error) {
      if (!isFault(error)) throw error;
      return { state, faults: [error] };
    }
  }
  return { state, faults: [] };
}

function applyOp(op: ServiceOp, state: ServiceState, { nft, conntrack, rules }: Tools): ServiceState {
  switch (op.op) {
    case "check":
      for (const family of FAMILIES) {
        const hash = op.programs[family];
        if (hash !== undefined) checkProgram(family, hash, { nft, rules, chains: state.chains });
      }
      return state;
    case "load": {
      nft.run(op.text);
      rules.written(op.family);
      const others = [...state.chains].filter((id) => !id.startsWith(`${op.family} `));
      const chains = new Set([...others, ...op.chains.map((chain) => chainId(op.family, chain))]);
      return { ...state, chains, programs: { ...state.programs, [op.family]: op.hash } };
    }
    case "chains": {
      nft.run(op.text);
      rules.written(op.family);
      const added = op.chains.map((chain) => chainId(op.family, chain));
      return { ...state, chains: new Set([...state.chains, ...added]) };
    }
    case "elements":
      if (op.changes.length > 0) nft.changeElements(elementOps(op.changes));
      return { ...state, elements: new Map(), revision: op.revision };
    case "forget-flows":
      forgetStaleFlows(op.answerers, conntrack);
      return state;
    default:
      return op satisfies never;
  }
}

/** Somebody else may have emptied nftables, or have changed a rule; the next round then starts from what is left. */
function checkProgram(
  family: Family,
  hash: string,
  { nft, rules, chains }: Pick<Tools, "nft" | "rules"> & Pick<ServiceState, "chains">,
): void {
  const isThere = readProgram(family, nft) === hash;
  if (isThere && rules.areWhole(family, chainsOf(family, chains))) return;
  const table = `${FAMILY[family].nft} ${TABLE}`;
  throw new Fault(
    "ProgramLost",
    `Cannot rely on table ${table}: somebody ${isThere ? "changed its rules" : "removed or replaced it"}`,
  );
}

/** Neighbouring changes of one set travel together; their order stays, so that a replaced element is gone before it comes. */
function elementOps(changes: readonly ElementChange[]): NftElementOp[] {
  const out: { op: "add" | "delete"; family: Family; name: SetName; elements: NftElement[] }[] = [];
  const open = new Map<string, (typeof out)[number]>();
  for (const change of changes) {
    const id = `${change.op} ${change.family} ${change.set}`;
    let group = open.get(id);
    if (group === undefined) {
      group = { op: change.op, family: change.family, name: change.set, elements: [] };
      open.set(id, group);
      out.push(group);
    }
    group.elements.push(encodeElement(change.op === "delete" ? { ...change, data: "" } : change));
  }
  const deletesFirst = [...out.filter(({ op }) => op === "delete"), ...out.filter(({ op }) => op === "add")];
  return deletesFirst.map(({ op, family, name, elements }) => ({
    op,
    set: { family: FAMILY[family].nft, table: TABLE, set: name },
    elements,
  }));
}
