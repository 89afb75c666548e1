import assert from "node:assert/strict";
import { test } from "node:test";
import { renderToml } from "./toml.ts";

test("values come before tables, keys are quoted where they must be, text is escaped", () => {
  const table = {
    outer: { "io.x.v1.y": { on: true, list: ["a", 'b"c'] }, n: 3 },
    version: 2,
    path: "C:\\a\n\u007f",
    left: undefined,
    empty: {},
  };
  assert.equal(
    renderToml(table),
    [
      "version = 2",
      'path = "C:\\\\a\\n\\u007f"',
      "",
      "[outer]",
      "n = 3",
      "",
      '[outer."io.x.v1.y"]',
      "on = true",
      'list = ["a", "b\\"c"]',
      "",
    ].join("\n"),
  );
});
