import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathWithin } from "./path-within.ts";

test("links within another root stay within it", (t) => {
  const root = mkdtempSync(join(tmpdir(), "twill-root-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "run/netns"), { recursive: true });
  mkdirSync(join(root, "var/lib"), { recursive: true });
  writeFileSync(join(root, "run/netns/x"), "");
  symlinkSync("/run", join(root, "var/run"));
  symlinkSync("../../run", join(root, "var/lib/up"));
  symlinkSync("loop", join(root, "loop"));
  symlinkSync("/../../etc", join(root, "out"));
  symlinkSync("net:[4026531840]", join(root, "magic"));
  const cases = [
    ["/run/netns/x", "/run/netns/x"],
    ["/var/run/netns/x", "/run/netns/x"],
    ["/var/run/../run//netns/./x", "/run/netns/x"],
    ["/var/lib/up/netns/x", "/run/netns/x"],
    ["/out/passwd", "/etc/passwd"],
    ["/../../etc", "/etc"],
    ["/magic", "/magic"],
    ["/nowhere/x", "/nowhere/x"],
  ] as const;
  for (const [path, leads] of cases) assert.equal(pathWithin(root, path), `${root}${leads}`, path);
  assert.ok(pathWithin(root, "/loop/x").startsWith(root));
  assert.equal(pathWithin("", "/var/run/x"), "/var/run/x");
});
