import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import type { PodTemplateSpec } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";
import { tolerates } from "#kube/tolerations";
import { CidrSet } from "./ipam/cidr-set.ts";
import { slowStart } from "./slow-start.ts";
import { fnv1a, hashTemplate, isSameTemplate, safeEncode, withSortedFields } from "./template.ts";

describe("quantities", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["1", 1000],
    ["500m", 500],
    ["1.5", 1500],
    [".5", 500],
    ["0.1m", 1],
    ["1Ki", 1024_000],
    ["1.5Gi", 1.5 * 2 ** 30 * 1000],
    ["2M", 2e9],
    ["1e3", 1e6],
    ["", 0],
    ["nonsense", 0],
  ];
  for (const [text, milli] of cases) test(JSON.stringify(text), () => assert.equal(milliOf(text), milli));
});

describe("templates", () => {
  const template = (labels: Record<string, string>, cpu: string, more: object = {}): PodTemplateSpec => ({
    metadata: { labels },
    spec: { containers: [{ name: "c", image: "i", resources: { limits: { cpu } }, ...more }] },
  });
  test("the hash label, empty lists and the spelling of quantities do not count", () => {
    const a = template({ app: "a" }, "1", { env: [] });
    const b = template({ app: "a", "pod-template-hash": "x" }, "1000m");
    assert.ok(isSameTemplate(a, b));
    assert.equal(hashTemplate(a, undefined), hashTemplate(b, 0));
    assert.notEqual(hashTemplate(a, 1), hashTemplate(a, undefined));
  });
  test("anything else does", () => {
    assert.ok(!isSameTemplate(template({ app: "a" }, "1"), template({ app: "a" }, "2")));
    assert.ok(!isSameTemplate(template({ app: "a" }, "1"), template({ app: "b" }, "1")));
    const ordered = (args: string[]) => template({}, "1", { args });
    assert.ok(!isSameTemplate(ordered(["a", "b"]), ordered(["b", "a"])));
  });
  test("fields are sorted on every level, nothing is left out", () => {
    const given = { b: [{ d: {}, c: 1 }], a: null };
    assert.equal(JSON.stringify(withSortedFields(given)), '{"a":null,"b":[{"c":1,"d":{}}]}');
  });
  test("hashes are written as kubernetes writes them", () => {
    assert.equal(fnv1a("a"), 3826002220);
    assert.equal(safeEncode("3826002220"), "7d6b446664");
  });
});

describe("node networks", () => {
  test("are handed out once each, taken ones skipped, freed ones last", () => {
    const set = new CidrSet(parseCidr("10.42.0.0/22"), 24);
    assert.ok(set.occupy(parseCidr("10.42.1.0/24")));
    assert.deepEqual(
      [set.allocate(), set.allocate(), set.allocate(), set.allocate()],
      ["10.42.0.0/24", "10.42.2.0/24", "10.42.3.0/24", undefined],
    );
    set.release(parseCidr("10.42.2.0/24"));
    set.release(parseCidr("10.42.0.0/24"));
    assert.equal(set.allocate(), "10.42.0.0/24");
    assert.ok(!set.occupy(parseCidr("10.99.0.0/24")));
  });
  test("a larger network takes all it covers, a smaller one what it lies in; the same in IPv6", () => {
    for (const [cluster, mask, large, small] of [
      ["10.42.0.0/22", 24, "10.42.0.0/23", "10.42.2.128/25"],
      ["2001:db8:42::/62", 64, "2001:db8:42::/63", "2001:db8:42:2:8000::/65"],
    ] as const) {
      const set = new CidrSet(parseCidr(cluster), mask);
      set.occupy(parseCidr(large));
      set.occupy(parseCidr(small));
      const last = set.allocate();
      assert.match(last ?? "", /^(10\.42\.3\.0\/24|2001:db8:42:3::\/64)$/);
      assert.equal(set.allocate(), undefined);
    }
  });
});

describe("tolerations", () => {
  const taint = { key: "k", value: "v", effect: "NoSchedule" };
  const cases = [
    [{ key: "k", value: "v", effect: "NoSchedule" }, true],
    [{ key: "k", operator: "Exists" }, true],
    [{ operator: "Exists" }, true],
    [{ key: "k", value: "other" }, false],
    [{ key: "k", operator: "Exists", effect: "NoExecute" }, false],
    [{ value: "v" }, false],
  ] as const;
  for (const [toleration, expected] of cases)
    test(JSON.stringify(toleration), () => assert.equal(tolerates(toleration, taint), expected));
});

test("slow start doubles its batches and stops after one that fails", async () => {
  let calls = 0;
  assert.equal(await slowStart(9, async () => void calls++), 9);
  calls = 0;
  const act = async () => {
    if (++calls === 3) throw new Error("refused");
  };
  await assert.rejects(slowStart(100, act), /refused/);
  assert.equal(calls, 3);
});
