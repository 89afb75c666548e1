import { FAMILY, type Family } from "#addr/family";
import { Fault, isFault } from "#fault/fault";
import type { NetKernel, NftElement, NftElementOp } from "#kernel/kernel";
import type { Applied } from "#reconcile/loop";
import { TABLE } from "./chains.ts";
import { encodeElement } from "./element-codec.ts";
import { chainId, type ElementChange, type ServiceOp, type ServiceState } from "./model.ts";
import { readProgram } from "./observe.ts";
import type { SetName } from "./sets.ts";
import { forgetStaleFlows } from "./stale-flows.ts";

type Tools = Pick<NetKernel, "nft" | "conntrack">;

/** Carries the operations out in order and stops at the first refusal: what follows would build on it. */
export function applyServices(
  ops: readonly ServiceOp[],
  known: ServiceState,
  kernel: Tools,
): Applied<ServiceState> {
  let state = known;
  for (const op of ops) {
    try {
      state = applyOp(op, state, kernel);
    } catch (error) {
      if (!isFault(error)) throw error;
      return { state, faults: [error] };
    }
  }
  return { state, faults: [] };
}

function applyOp(op: ServiceOp, state: ServiceState, { nft, conntrack }: Tools): ServiceState {
  switch (op.op) {
    case "check":
      for (const [family, hash] of Object.entries(op.programs))
        checkProgram(Number(family) as Family, hash, nft);
      return state;
    case "load": {
      nft.run(op.text);
      const others = [...state.chains].filter((id) => !id.startsWith(`${op.family} `));
      const chains = new Set([...others, ...op.chains.map((chain) => chainId(op.family, chain))]);
      return { ...state, chains, programs: { ...state.programs, [op.family]: op.hash } };
    }
    case "chains": {
      nft.run(op.text);
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

/** Somebody else may have emptied nftables; the next round then starts from what is left. */
function checkProgram(family: Family, hash: string, nft: Tools["nft"]): void {
  if (readProgram(family, nft) === hash) return;
  const table = `${FAMILY[family].nft} ${TABLE}`;
  throw new Fault("ProgramLost", `Cannot rely on table ${table}: somebody removed or replaced it`);
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
