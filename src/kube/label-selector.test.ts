import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSelector, matchesSelector, parseSelector } from "./label-selector.ts";

const labels = { app: "web", tier: "front", rank: "7" };
const cases: readonly (readonly [selector: string, matches: boolean])[] = [
  ["", true],
  ["app=web", true],
  ["app==web,tier=front", true],
  ["app!=web", false],
  ["missing!=x", true],
  ["app in (web, api)", true],
  ["app notin (web,api)", false],
  ["missing notin (a)", true],
  ["app", true],
  ["!app", false],
  ["!missing", true],
  ["rank>6", true],
  ["rank>7", false],
  ["rank<8", true],
  ["app=", false],
  ["example.com/x", false],
];
for (const [text, expected] of cases) {
  test(`${JSON.stringify(text)} ${expected ? "matches" : "does not match"}`, () => {
    const selector = parseSelector(text);
    assert.equal(matchesSelector(selector, labels), expected);
    assert.equal(matchesSelector(parseSelector(formatSelector(selector)), labels), expected);
  });
}

for (const text of ["a b", "=x", "a=b=c", "a in b", "in (x)", "-a", "a>b", "a=-b", "a=(b)"]) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseSelector(text), /unable to parse requirement/);
  });
}

test("matchLabels and matchExpressions must both hold", () => {
  const matchExpressions = [{ key: "tier", operator: "Exists" }];
  assert.ok(matchesSelector({ matchLabels: { app: "web" }, matchExpressions }, labels));
  assert.ok(!matchesSelector({ matchLabels: { app: "api" }, matchExpressions }, labels));
  assert.equal(formatSelector({ matchLabels: { b: "2", a: "1" }, matchExpressions }), "a=1,b=2,tier");
});
