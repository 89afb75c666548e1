import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "../testing/write.ts";
import { priorityClasses } from "./classes.ts";

const RESERVED =
  "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";

const CASES: readonly (readonly [name: string, fields: object, errors: readonly string[]])[] = [
  ["mine", { value: 1_000_000_000 }, []],
  [
    "mine",
    { value: 1_000_000_001 },
    ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
  ],
  ["system-node-critical", { value: 2_000_001_000 }, []],
  [
    "system-node-critical",
    { value: 7 },
    [`${RESERVED}value of system-node-critical PriorityClass must be 2000001000`],
  ],
  [
    "system-node-critical",
    { value: 2_000_001_000, globalDefault: true },
    [`${RESERVED}globalDefault of system-node-critical PriorityClass must be false`],
  ],
  ["system-foo", { value: 7 }, [`${RESERVED}system-foo is not a known system priority class`]],
];

for (const [name, fields, errors] of CASES)
  test(`class ${name} ${JSON.stringify(fields)}`, () =>
    assert.deepEqual(create(priorityClasses, { metadata: { name }, ...fields }).errors, errors));
