import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NftChain, NftExpression } from "#wire/nftables-rule";
import { isKubernetesChain, type NftTableRules, nftLeftovers, renderNftRemoval } from "./rules.ts";

const names = {
  "KUBE-SERVICES": true,
  "KUBE-ROUTER-FORWARD": true,
  "CNI-HOSTPORT-DNAT": true,
  "FLANNEL-FWD": true,
  "flannel-postrtg": true,
  INPUT: false,
  "MY-KUBE-RULES": false,
  "cni-mine": false,
};

for (const [name, is] of Object.entries(names))
  test(`chain ${name} is ${is ? "Kubernetes's" : "somebody's own"}`, () =>
    assert.equal(isKubernetesChain(name), is));

function chain(name: string, handle: number, base = false): NftChain {
  return {
    family: "ip",
    table: "filter",
    chain: name,
    handle,
    base: base ? { hook: "forward", type: "filter", priority: 0, policy: "accept" } : undefined,
  };
}

/** A table of a chain that leads to `target`, and of that one. */
function tableOf(from: string, target: string): NftTableRules {
  const jump: NftExpression = { kind: "verdict", verdict: { kind: "jump", chain: target } };
  const accept: NftExpression = { kind: "verdict", verdict: { kind: "accept" } };
  const rule = (of: string, handle: number, expression: NftExpression) => ({
    family: "ip" as const,
    table: "filter",
    chain: of,
    handle,
    expressions: [expression],
  });
  return {
    family: "ip",
    table: "filter",
    chains: [
      { chain: chain(from, 1, true), rules: [rule(from, 5, accept), rule(from, 6, jump)] },
      { chain: chain(target, 2), rules: [rule(target, 7, accept)] },
    ],
  };
}

function removalOf(table: NftTableRules): string {
  const found = nftLeftovers(table);
  assert.ok(found?.kind === "nft-rules");
  return renderNftRemoval(found);
}

describe("taking chains out of nftables", () => {
  test("begins with what leads there, and leaves all else", () => {
    assert.deepEqual(removalOf(tableOf("FORWARD", "KUBE-FORWARD")).split("\n"), [
      "delete rule ip filter FORWARD handle 6",
      "flush chain ip filter KUBE-FORWARD",
      "delete chain ip filter KUBE-FORWARD",
      "",
    ]);
  });

  test("finds nothing where nothing is", () => {
    assert.equal(nftLeftovers(tableOf("FORWARD", "mine")), undefined);
  });

  for (const odd of ["KUBE-X; flush ruleset", "KUBE-X\nflush ruleset", "KUBE-X { }"])
    test(`refuses a name that is none to nft: ${JSON.stringify(odd)}`, () => {
      assert.throws(() => removalOf(tableOf("FORWARD", odd)), { code: "OddName" });
      assert.throws(() => removalOf(tableOf(odd.replace("KUBE-", "1"), "KUBE-FORWARD")), { code: "OddName" });
    });
});
