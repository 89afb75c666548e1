import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { wantedState } from "./list-options.ts";

const AFTER_CONTINUE = "resourceVersionMatch is forbidden when continue is provided";

const refused: readonly ["list" | "watch", string, string][] = [
  [
    "list",
    "resourceVersionMatch=Exact",
    "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
  ],
  [
    "list",
    "resourceVersionMatch=Exact&resourceVersion=0",
    'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
  ],
  ["list", "resourceVersionMatch=Exact&resourceVersion=5&continue=x", `Forbidden: ${AFTER_CONTINUE}`],
  [
    "list",
    "resourceVersionMatch=Newest&resourceVersion=5",
    'Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
  ],
  ["list", "sendInitialEvents=false", "Forbidden: sendInitialEvents is forbidden for list"],
  ["list", "resourceVersion=5&continue=x", "specifying resource version is not allowed when using continue"],
  ["list", "resourceVersion=five", "invalid resource version"],
  [
    "watch",
    "sendInitialEvents=true",
    "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
  ],
  [
    "watch",
    "resourceVersionMatch=NotOlderThan",
    "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
  ],
  [
    "watch",
    "sendInitialEvents=true&resourceVersionMatch=Exact",
    'Unsupported value: "Exact": supported values: "NotOlderThan"',
  ],
];

for (const [verb, query, says] of refused)
  test(`${verb} ${query} is refused`, () => {
    assert.throws(
      () => wantedState(new URLSearchParams(query), verb),
      (error) => error instanceof Error && error.message.includes(says),
    );
  });

test("all that is wrong is said at once", () => {
  const query = new URLSearchParams("resourceVersionMatch=Newest&sendInitialEvents=true");
  assert.throws(
    () => wantedState(query, "list"),
    /^Error: .*\[resourceVersionMatch: .*, resourceVersionMatch: .*, sendInitialEvents: .*\]$|is invalid: \[/,
  );
});

test("a continue token is what it was; others are refused in kube-apiserver's words", () => {
  const place = { revision: 12, start: "n/a\0" };
  assert.deepEqual(decodeContinue(encodeContinue(place)), place);
  const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  for (const [text, says] of [
    ["%%%", "incorrectly encoded continue token"],
    [token({ v: "v9", rv: 1, start: "a" }), 'server does not recognize this encoded version "v9"'],
    [
      token({ v: "meta.k8s.io/v1", rv: 0, start: "a" }),
      "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    ],
    [token({ v: "meta.k8s.io/v1", rv: 1 }), "encoded start key empty (version meta.k8s.io/v1)"],
  ] as const)
    assert.throws(() => decodeContinue(text), {
      message: `invalid continue token: continue key is not valid: ${says}`,
    });
});
