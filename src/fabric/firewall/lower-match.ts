/** What the extensions of iptables ask and do, in either of its forms. */

import { WireError } from "#wire/wire-error";
import { decodeXtMatch, type XtMatch, type XtRange } from "#wire/xtables-match";
import { type Action, type Field, hostBits, type Range, type Test, unknownTest } from "./rule.ts";

const ALL_PORTS = 0xffff;

/** One that is shorter than it should be asks something unknown. */
export function testsOfExtension(name: string, revision: number, info: Uint8Array): readonly Test[] {
  try {
    return testsOfMatch(decodeXtMatch(name, revision, info));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return [unknownTest(name)];
  }
}

function testsOfMatch(match: XtMatch): readonly Test[] {
  switch (match.kind) {
    case "comment":
      return [];
    case "ports":
      return [
        one("protocol", [[BigInt(match.protocol), BigInt(match.protocol)]]),
        ...ports("sourcePort", match.source, match.invertsSource),
        ...ports("destinationPort", match.destination, match.invertsDestination),
        ...(match.more ? [unknownTest("tcp flags")] : []),
      ];
    case "port-list": {
      if (match.side === "either") return [unknownTest("multiport")];
      const field = match.side === "source" ? "sourcePort" : "destinationPort";
      return [one(field, match.ranges.map(bits), match.inverted)];
    }
    case "state":
      return [
        {
          kind: "field",
          field: "state",
          mask: hostBits(match.states),
          ranges: [[0n, 0n]],
          inverted: !match.inverted,
        },
      ];
    case "address-type":
      return [
        ...(match.source === 0 ? [] : [unknownTest("addrtype")]),
        ...(match.destination === 0
          ? []
          : [one("destinationType", typesIn(match.destination), match.invertsDestination)]),
      ];
    case "other":
      return [unknownTest(match.name)];
    default:
      return match satisfies never;
  }
}

/** Targets that let a packet go on to the next rule. */
const GOES_ON = new Set([
  "LOG",
  "NFLOG",
  "ULOG",
  "TRACE",
  "MARK",
  "CONNMARK",
  "CONNSECMARK",
  "SECMARK",
  "SET",
  "TCPMSS",
  "CLASSIFY",
  "CHECKSUM",
  "AUDIT",
  "TOS",
  "DSCP",
  "TTL",
  "HL",
  "RATEEST",
  "IDLETIMER",
  "LED",
]);

export function actionOfTarget(name: string): Action {
  if (name === "REJECT" || name === "DROP" || name === "TARPIT") return { kind: "drop" };
  return GOES_ON.has(name) ? { kind: "none" } : { kind: "unknown", what: name };
}

function ports(field: Field, range: XtRange, inverted: boolean): readonly Test[] {
  return range[0] === 0 && range[1] === ALL_PORTS && !inverted ? [] : [one(field, [bits(range)], inverted)];
}

function bits([low, high]: XtRange): Range {
  return [BigInt(low), BigInt(high)];
}

function typesIn(mask: number): readonly Range[] {
  const types = [...Array(16).keys()].filter((type) => (mask & (1 << type)) !== 0);
  return types.map((type): Range => [hostBits(type), hostBits(type)]);
}

export function one(field: Field, ranges: readonly Range[], inverted = false): Test {
  return { kind: "field", field, mask: undefined, ranges, inverted };
}
