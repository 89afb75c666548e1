import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#fault/fault";
import { readTolerations } from "./tolerations.ts";

const taint = { key: "a", operator: "Equal", value: "b", effect: "NoSchedule" };

for (const [text, expected] of [
  [undefined, []],
  ["", []],
  ["null", []],
  ["[]", []],
  [JSON.stringify([taint]), [taint]],
  ['[{"Key":"a","value":"b","effect":"NoSchedule"}]', [taint]],
  ["- key: a\n  value: b\n  effect: NoSchedule\n", [taint]],
  ["[{operator: Exists}]", [{ operator: "Exists" }]],
  [
    "- {key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 60}",
    [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 }],
  ],
  [
    "[{key: a, value: 5}, {key: b, value: yes}]",
    [
      { key: "a", operator: "Equal", value: "5" },
      { key: "b", operator: "Equal", value: "true" },
    ],
  ],
  ["[{key: a, more: things}]", [{ key: "a", operator: "Equal" }]],
] as const)
  test(`tolerations ${JSON.stringify(text)}`, () => assert.deepEqual(readTolerations(text), expected));

for (const [text, why] of [
  ["[{operator: Equal, value: x}]", /^validation failed for toleration 0: toleration with empty key must/],
  ["[{key: a}, {}]", /^validation failed for toleration 1: toleration with empty key/],
  [
    "[{key: a, operator: Exists, value: b}]",
    /toleration 0: toleration with operator 'Exists' must have an empty/,
  ],
  [
    "{key: a}",
    /^failed to parse tolerations from annotation svccontroller.k3s.cattle.io\/tolerations: expected a list/,
  ],
  ["- a\n- b", /item 0 is not a toleration/],
  ["[{", /^failed to parse tolerations from annotation/],
  ['[{"key":5}]', /key of item 0 is not text/],
  ["[{key: a, tolerationSeconds: soon}]", /tolerationSeconds of item 0 is not a whole number/],
  ["[{key: a, tolerationSeconds: 1.5}]", /not a whole number/],
  ["x".repeat(200_000), /200000 characters are more than/],
  [
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`)}]`).join("\n")}`,
    /failed to parse tolerations/,
  ],
] as const)
  test(`tolerations refused: ${text.slice(0, 60)}`, () =>
    assert.throws(
      () => readTolerations(text),
      (error: unknown) => isFault(error) && why.test(error.message) && error.message.length < 500,
    ));

test("whatever stands there, it is read or refused", () => {
  let state = 7;
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state % below;
  };
  const pieces = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "- ",
    "\n",
    "key",
    "Exists",
    "operator",
    '"',
    "'",
    "&a",
    "*a",
    "<<",
    "!!str",
    "\t",
    "1e9",
    "null",
    "|",
    "é",
    "\u0000",
    "%",
    "#",
    "? ",
  ];
  for (let round = 0; round < 2_000; round++) {
    const text = Array.from({ length: random(14) }, () => pieces[random(pieces.length)]).join("");
    try {
      assert.ok(Array.isArray(readTolerations(text)));
    } catch (error) {
      assert.ok(isFault(error), `${JSON.stringify(text)}: ${error}`);
    }
  }
});
