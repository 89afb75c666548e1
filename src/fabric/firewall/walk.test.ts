import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { parseIp } from "#addr/ip";
import type { NftExpression } from "#wire/nftables-rule";
import type { NftSetRange } from "#wire/nftables-set";
import { lowerNftRule } from "./lower-nft.ts";
import { packetOf, passes } from "./packet.ts";
import type { FilterChain } from "./rule.ts";
import { type Outcome, walk } from "./walk.ts";

/** Rules as expressions in few words; the packet is TCP from pods (10.42.0.0/16) on cni0 to 10.42.0.0/16 on flannel.1. */
const packet = packetOf({
  family: 4,
  hook: "forward",
  source: parseCidr("10.42.0.0/16"),
  destination: parseCidr("10.42.0.0/16"),
  protocol: "tcp",
  in: "cni0",
  out: "flannel.1",
});
const SETS: Readonly<Record<string, readonly NftSetRange[]>> = {
  pods: [{ low: bytes("0a2a0000"), high: bytes("0a2affff"), verdict: undefined }],
  some: [{ low: bytes("0a2a0000"), high: bytes("0a2a00ff"), verdict: undefined }],
  empty: [],
  states: [
    { low: bytes("02000000"), high: bytes("02000000"), verdict: { kind: "accept" } },
    { low: bytes("08000000"), high: bytes("08000000"), verdict: { kind: "jump", chain: "fresh" } },
  ],
  pairs: [{ low: bytes("0a2a000000500000"), high: bytes("0a2a000000500000"), verdict: undefined }],
};

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

const load = (offset: number, length: number): NftExpression => ({
  kind: "payload",
  base: 1,
  offset,
  length,
  to: 0,
});
const meta = (key: number): NftExpression => ({ kind: "meta", key, to: 0 });
const state: NftExpression = { kind: "ct", key: 0, to: 0 };
const cmp = (op: number, value: string): NftExpression => ({ kind: "cmp", from: 0, op, value: bytes(value) });
const mask = (value: string): NftExpression => ({
  kind: "bitwise",
  from: 0,
  to: 0,
  mask: bytes(value),
  xor: new Uint8Array(value.length / 2),
});
const lookup = (set: string, more: { decides?: boolean; inverted?: boolean } = {}): NftExpression => ({
  kind: "lookup",
  from: 0,
  set,
  inverted: false,
  decides: false,
  to: undefined,
  ...more,
});
const source = load(12, 4);
const name = (text: string) => Buffer.from(text).toString("hex").padEnd(32, "0");
const unknown: NftExpression = { kind: "other", name: "limit", to: undefined };
type Ending = "accept" | "drop" | "return" | "none" | `jump ${string}` | `goto ${string}`;

function rule(ending: Ending, ...expressions: readonly NftExpression[]): readonly NftExpression[] {
  const [kind = "", chain = ""] = ending.split(" ");
  if (kind === "none") return expressions;
  if (kind === "jump" || kind === "goto")
    return [...expressions, { kind: "verdict", verdict: { kind, chain } }];
  return [...expressions, { kind: "verdict", verdict: { kind: kind as "accept" | "drop" | "return" } }];
}

type Chains = Readonly<Record<string, readonly (readonly NftExpression[])[]>>;

function outcome(chains: Chains, policy: "accept" | "drop"): Outcome {
  const lowered = Object.entries(chains).map(
    ([chain, rules]): FilterChain => ({
      engine: "nftables",
      family: "ip",
      table: "filter",
      name: chain,
      base: chain === "base" ? { hook: "forward", policy } : undefined,
      rules: rules.flatMap((expressions) => lowerNftRule(expressions, 4, (set) => SETS[set])),
    }),
  );
  const byName = new Map(lowered.map((chain) => [chain.name, chain]));
  const base = byName.get("base");
  assert.ok(base);
  return walk(base, byName, packet);
}

interface Case {
  readonly name: string;
  readonly chains: Chains;
  readonly policy?: "accept" | "drop";
  /** `passes`, or the chain that drops, with `?` where it is in doubt. */
  readonly is: string;
}

const cases: readonly Case[] = [
  { name: "a policy of drop", chains: { base: [] }, is: "base" },
  { name: "a policy of accept", chains: { base: [] }, policy: "accept", is: "passes" },
  { name: "a last rule that drops", chains: { base: [rule("drop")] }, policy: "accept", is: "base" },
  { name: "a reject", chains: { base: [[{ kind: "reject" }]] }, policy: "accept", is: "base" },
  {
    name: "a target of iptables that rejects",
    chains: { base: [[{ kind: "target", name: "REJECT", revision: 0, info: bytes("") }]] },
    policy: "accept",
    is: "base",
  },
  {
    name: "a target that goes on",
    chains: { base: [[{ kind: "target", name: "LOG", revision: 0, info: bytes("") }]] },
    is: "base",
  },
  {
    name: "a comparison shorter than what it compares says how that begins",
    chains: { base: [rule("accept", source, cmp(0, "0a2a"))] },
    is: "passes",
  },
  {
    name: "an accept of the pods' network by its first bytes",
    chains: { base: [rule("accept", load(12, 2), cmp(0, "0a2a"))] },
    is: "passes",
  },
  {
    name: "an accept of the pods' network by a mask",
    chains: { base: [rule("accept", source, mask("ffff0000"), cmp(0, "0a2a0000"))] },
    is: "passes",
  },
  {
    name: "an accept of a wider network",
    chains: { base: [rule("accept", load(12, 1), cmp(0, "0a"))] },
    is: "passes",
  },
  {
    name: "an accept of both ends in one load",
    chains: { base: [rule("accept", load(12, 8), mask("ffff0000ffff0000"), cmp(0, "0a2a00000a2a0000"))] },
    is: "passes",
  },
  {
    name: "an accept of other ends in one load",
    chains: { base: [rule("accept", load(12, 8), mask("ffff0000ffff0000"), cmp(0, "0a2a00000a2b0000"))] },
    is: "base",
  },
  {
    name: "an accept of another network",
    chains: { base: [rule("accept", load(12, 1), cmp(0, "ac"))] },
    is: "base",
  },
  {
    name: "an accept of all but another network",
    chains: { base: [rule("accept", load(12, 1), cmp(1, "ac"))] },
    is: "passes",
  },
  {
    name: "an accept of one node's pods leaves the others in doubt",
    chains: { base: [rule("accept", load(12, 3), cmp(0, "0a2a01"))] },
    is: "base?",
  },
  {
    name: "a drop of one node's pods is not of them all",
    chains: { base: [rule("drop", load(12, 3), cmp(0, "0a2a01"))] },
    policy: "accept",
    is: "passes",
  },
  { name: "an accept by a set", chains: { base: [rule("accept", source, lookup("pods"))] }, is: "passes" },
  {
    name: "an accept by a set of some",
    chains: { base: [rule("accept", source, lookup("some"))] },
    is: "base?",
  },
  {
    name: "an accept by an empty set",
    chains: { base: [rule("accept", source, lookup("empty"))] },
    is: "base",
  },
  {
    name: "a drop of what is not in a set",
    chains: { base: [rule("drop", source, lookup("pods", { inverted: true }))] },
    policy: "accept",
    is: "passes",
  },
  {
    name: "a set of pairs is not followed",
    chains: { base: [rule("accept", source, lookup("pairs"))] },
    is: "base?",
  },
  {
    name: "a set that was not read",
    chains: { base: [rule("accept", source, lookup("other"))] },
    is: "base?",
  },
  {
    name: "an accept of answers",
    chains: { base: [rule("accept", state, mask("06000000"), cmp(1, "00000000"))] },
    is: "base",
  },
  {
    name: "an accept of new connections",
    chains: { base: [rule("accept", state, mask("08000000"), cmp(1, "00000000"))] },
    is: "passes",
  },
  {
    name: "a map of states leads new ones on",
    chains: { base: [rule("none", state, lookup("states", { decides: true }))], fresh: [rule("drop")] },
    policy: "accept",
    is: "fresh",
  },
  {
    name: "an accept on the pods' bridge",
    chains: { base: [rule("accept", meta(6), cmp(0, name("cni0")))] },
    is: "passes",
  },
  {
    name: "an accept on links that begin so",
    chains: { base: [rule("accept", meta(6), cmp(0, "636e69"))] },
    is: "passes",
  },
  {
    name: "an accept on another link",
    chains: { base: [rule("accept", meta(6), cmp(0, name("docker0")))] },
    is: "base",
  },
  {
    name: "an accept on the loopback by its number",
    chains: { base: [rule("accept", meta(4), cmp(0, "01000000"))] },
    is: "base",
  },
  {
    name: "an accept on some link by its number",
    chains: { base: [rule("accept", meta(4), cmp(0, "07000000"))] },
    is: "base?",
  },
  {
    name: "an accept of another protocol",
    chains: { base: [rule("accept", meta(16), cmp(0, "11"))] },
    is: "base",
  },
  {
    name: "an accept of another family",
    chains: { base: [rule("accept", meta(15), cmp(0, "0a"))] },
    is: "base",
  },
  { name: "a limit leaves the rest in doubt", chains: { base: [rule("accept", unknown)] }, is: "base?" },
  {
    name: "a limit before a drop drops not all",
    chains: { base: [rule("drop", unknown)] },
    policy: "accept",
    is: "passes",
  },
  {
    name: "a register that was written over",
    chains: { base: [rule("accept", source, { kind: "other", name: "numgen", to: 2 }, cmp(0, "0a2a0000"))] },
    is: "base?",
  },
  {
    name: "a jump and back",
    chains: { base: [rule("jump a"), rule("accept")], a: [rule("return"), rule("drop")] },
    is: "passes",
  },
  {
    name: "a goto does not come back",
    chains: { base: [rule("goto a"), rule("accept")], a: [] },
    is: "base",
  },
  {
    name: "a goto in a chain comes back to whoever called that",
    chains: { base: [rule("jump a"), rule("accept")], a: [rule("goto b"), rule("drop")], b: [] },
    is: "passes",
  },
  {
    name: "a drop in a called chain",
    chains: { base: [rule("jump a")], a: [rule("drop")] },
    policy: "accept",
    is: "a",
  },
  {
    name: "a chain that some are sent to",
    chains: { base: [rule("jump a", unknown)], a: [rule("drop")] },
    policy: "accept",
    is: "passes",
  },
  {
    name: "a chain that accepts some",
    chains: { base: [rule("jump a", unknown)], a: [rule("accept")] },
    is: "base?",
  },
  {
    name: "a return of some",
    chains: { base: [rule("jump a")], a: [rule("return", unknown), rule("drop")] },
    policy: "accept",
    is: "a?",
  },
  { name: "a chain that is not there", chains: { base: [rule("jump a")] }, is: "base?" },
  {
    name: "chains that lead to themselves end",
    chains: { base: [rule("jump a")], a: [rule("jump a")] },
    is: "base?",
  },
  {
    name: "a queue",
    chains: { base: [[{ kind: "verdict", verdict: { kind: "other", code: 3 } }]] },
    is: "base?",
  },
];

for (const { name: what, chains, policy = "drop", is } of cases)
  test(what, () => {
    const found = outcome(chains, policy);
    assert.equal(found.kind === "passes" ? "passes" : `${found.chain}${found.isCertain ? "" : "?"}`, is);
  });

test("an IPv6 network by its mask, and by its first bytes", () => {
  const packet6 = packetOf({
    family: 6,
    hook: "input",
    source: parseCidr("fd42::/56"),
    destination: parseIp("2001:db8::1"),
    protocol: "udp",
    port: 8472,
  });
  const passesAll = (...expressions: readonly NftExpression[]) =>
    lowerNftRule(expressions, 6, () => undefined).flatMap(({ tests }) =>
      tests.map((each) => passes(each, packet6)),
    );
  assert.deepEqual(passesAll(load(8, 7), cmp(0, "fd420000000000")), ["yes"]);
  assert.deepEqual(passesAll(load(8, 8), cmp(0, "fd42000000000000")), ["maybe"]);
  assert.deepEqual(passesAll(load(8, 16), mask(`fe${"00".repeat(15)}`), cmp(0, `fc${"00".repeat(15)}`)), [
    "yes",
  ]);
  assert.deepEqual(passesAll({ kind: "payload", base: 2, offset: 2, length: 2, to: 0 }, cmp(0, "2118")), [
    "yes",
  ]);
  assert.deepEqual(passesAll({ kind: "payload", base: 2, offset: 0, length: 4, to: 0 }, cmp(0, "00430044")), [
    "maybe",
    "no",
  ]);
  assert.deepEqual(passesAll({ kind: "fib", result: 3, flags: 2, to: 0 }, cmp(0, "02000000")), ["yes"]);
});

test("any expressions are read as something", () => {
  let seed = 5;
  const random = (below: number) => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % below;
  };
  const some = (): Uint8Array => Uint8Array.from({ length: random(18) }, () => random(256));
  const one = (): NftExpression => {
    const kinds: readonly NftExpression[] = [
      { kind: "payload", base: random(4), offset: random(40), length: random(40), to: random(16) },
      { kind: "meta", key: random(20), to: random(16) },
      { kind: "ct", key: random(4), to: random(16) },
      { kind: "bitwise", from: random(16), to: random(16), mask: some(), xor: some() },
      { kind: "cmp", from: random(16), op: random(8), value: some() },
      { kind: "range", from: random(16), inverted: random(2) === 0, low: some(), high: some() },
      lookup(["pods", "states", "pairs", "gone"][random(4)] ?? "", { decides: random(2) === 0 }),
      {
        kind: "match",
        name: ["tcp", "conntrack", "multiport", "addrtype"][random(4)] ?? "",
        revision: random(4),
        info: some(),
      },
      { kind: "verdict", verdict: { kind: "jump", chain: "base" } },
      { kind: "other", name: "x", to: random(20) },
    ];
    return kinds[random(kinds.length)] ?? unknown;
  };
  for (let i = 0; i < 5000; i++) {
    const expressions = Array.from({ length: random(8) }, one);
    for (const family of FAMILIES)
      for (const { tests } of lowerNftRule(expressions, family, (set) => SETS[set]))
        for (const each of tests) passes(each, packet);
    outcome({ base: [expressions] }, "drop");
  }
});
