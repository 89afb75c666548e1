/** Rules of the old iptables, read as what they ask and do. */
import type { XtChain, XtRule } from "#wire/xtables-chain";
import { XT_INVERTS, type XtEntry } from "#wire/xtables-table";
import { actionOfTarget, one, testsOfExtension } from "./lower-match.ts";
import {
  type Action,
  bytesToBits,
  type Field,
  type FilterChain,
  type FilterRule,
  type Test,
} from "./rule.ts";

export function lowerOldChain(chain: XtChain, family: "ip" | "ip6", table: string): FilterChain {
  const hook =
    chain.base?.hook === "INPUT" ? "input" : chain.base?.hook === "FORWARD" ? "forward" : undefined;
  return {
    engine: "old",
    family,
    table,
    name: chain.name,
    base: chain.base && hook && { hook, policy: chain.base.policy },
    rules: chain.rules.map(lowerOldRule),
  };
}

function lowerOldRule({ entry, action }: XtRule): FilterRule {
  const matches = entry.matches.flatMap(({ name, revision, data }) => testsOfExtension(name, revision, data));
  return { tests: [...testsOfHead(entry), ...matches], action: actionOf(action) };
}

function testsOfHead(entry: XtEntry): Test[] {
  const inverts = (bit: number) => (entry.inverts & bit) !== 0;
  return [
    ...masked("source", entry.source, entry.sourceMask, inverts(XT_INVERTS.source)),
    ...masked("destination", entry.destination, entry.destinationMask, inverts(XT_INVERTS.destination)),
    ...masked("in", entry.inInterface, entry.inMask, inverts(XT_INVERTS.in)),
    ...masked("out", entry.outInterface, entry.outMask, inverts(XT_INVERTS.out)),
    ...(entry.protocol === 0
      ? []
      : [one("protocol", [[BigInt(entry.protocol), BigInt(entry.protocol)]], inverts(XT_INVERTS.protocol))]),
    ...(entry.isFragmentOnly ? [{ kind: "unknown", what: "fragments" } as const] : []),
  ];
}

/** A mask of zeroes asks nothing. */
function masked(field: Field, value: Uint8Array, mask: Uint8Array, inverted: boolean): Test[] {
  if (mask.every((byte) => byte === 0)) return [];
  const bits = bytesToBits(mask);
  const wanted = bytesToBits(value) & bits;
  return [{ kind: "field", field, mask: bits, ranges: [[wanted, wanted]], inverted }];
}

function actionOf(action: XtRule["action"]): Action {
  switch (action.kind) {
    case "accept":
    case "drop":
    case "return":
    case "none":
      return { kind: action.kind };
    case "jump":
    case "goto":
      return action;
    case "queue":
      return { kind: "unknown", what: "queue" };
    case "extension":
      return actionOfTarget(action.target.name);
    default:
      return action satisfies never;
  }
}
