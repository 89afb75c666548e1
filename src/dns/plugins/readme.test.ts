import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHAIN } from "../chain.ts";
import { parseCorefile } from "../corefile/parse.ts";
import { planSites } from "../plan.ts";

for (const { name } of CHAIN) {
  test(`README of ${name}: every example is a Corefile`, () => {
    const file = join(import.meta.dirname, name, "README.md");
    assert.ok(existsSync(file), `${file} is missing`);
    const text = readFileSync(file, "utf8");
    const examples = [...text.matchAll(/```corefile\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
    assert.ok(examples.length > 0, "it has no example");
    for (const example of examples) {
      const source = { env: {}, readFile: () => "", listFolder: () => [] };
      const plans = planSites(parseCorefile(example, "README.md", source), { defaultPort: 53 });
      assert.ok(plans.some(({ openers }) => openers.some((opener) => opener.name === name)));
    }
    for (const heading of ["Description", "Configuration", "Examples"])
      assert.ok(text.includes(`## ${heading}\n`));
  });
}
