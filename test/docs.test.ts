/** Documentation names files that exist: whatever looks like a path of the repository in backticks, and every relative link. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = ["README.md", "docs/**/*.md", "src/**/README.md"]
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .sort();

/** `src/addr/ip.ts`, `demo/`, `src/fabric/testdata/node-joins.txt`; a `*` or a word in capitals stands for several. */
const PATH = /^(?:src|bin|docs|test|demo|scripts|bench)\/[\w.*/-]*$/;
const PLACEHOLDER = /(?:^|\/)[A-Z]{3,}(?=\/|$)/g;

function pathsIn(text: string): readonly string[] {
  const inline = text.replace(/^```.*?^```/gms, "").matchAll(/`([^`\n]+)`/g);
  return [...inline].map((match) => match[1] ?? "").filter((words) => PATH.test(words));
}

function exists(path: string): boolean {
  const pattern = path.replace(PLACEHOLDER, (word) => (word.startsWith("/") ? "/*" : "*"));
  if (!pattern.includes("*")) return existsSync(join(root, pattern));
  return globSync(pattern, { cwd: root }).length > 0;
}

/** Targets of `[words](target)` that are no address elsewhere, without the part after `#`. */
function linksIn(text: string): readonly string[] {
  const links = text.replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g);
  return [...links]
    .map((match) => (match[1] ?? "").replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

for (const page of pages) {
  const text = readFileSync(join(root, page), "utf8");

  test(`${page} names paths that exist`, () => {
    assert.deepEqual(
      pathsIn(text).filter((path) => !exists(path)),
      [],
    );
  });

  test(`${page} links to files that exist`, () => {
    const targets = linksIn(text).map((target) => relative(root, join(root, dirname(page), target)));
    assert.deepEqual(
      targets.filter((target) => !existsSync(join(root, target))),
      [],
    );
  });
}

test("every room has a guide", () => {
  const rooms = globSync("src/*/", { cwd: root }).map((room) => room.replace(/\/$/, ""));
  assert.deepEqual(
    rooms.filter((room) => !pages.includes(`${room}/README.md`)),
    [],
  );
});

test("a path that does not exist is found", () => {
  assert.deepEqual(
    pathsIn("`src/addr/ip.ts`, `src/no/such.ts`, `bin/*.ts`, `net/ipv4`, `src/ROOM/README.md`").filter(
      (path) => !exists(path),
    ),
    ["src/no/such.ts"],
  );
});
