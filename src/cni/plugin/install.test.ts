import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { conflist, executableText, installPlugin, uninstallPlugin } from "./install.ts";
import { PluginError } from "./plugin-error.ts";

const SOURCE = { dir: fileURLToPath(new URL("../../../bin/cni", import.meta.url)), node: process.execPath };

function folders(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "twill-plugin-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return { dir, binDir: join(dir, "bin"), confDir: join(dir, "net.d"), socketPath: "/run/x/cni.sock" };
}

test("the plugin and its network are installed, again without a change, and gone without a trace", (t) => {
  const files = folders(t);
  const path = installPlugin(files, SOURCE);
  assert.equal(path, join(files.binDir, "twill-cni"));
  const text = readFileSync(path, "utf8");
  assert.ok(text.includes("'/run/x/cni.sock'") || text.includes('"/run/x/cni.sock"'));
  assert.equal(statSync(path).mode & 0o777, 0o755);
  assert.deepEqual(readdirSync(files.confDir), ["10-flannel.conflist"]);
  const before = statSync(path).ino;
  installPlugin(files, SOURCE);
  assert.equal(statSync(path).ino, before);
  uninstallPlugin(files);
  assert.deepEqual([...readdirSync(files.binDir), ...readdirSync(files.confDir)], []);
  uninstallPlugin(files);
});

test("another's loopback and another's network are left alone", (t) => {
  const files = folders(t);
  installPlugin(files, SOURCE);
  const [loopback, list] = [join(files.binDir, "loopback"), join(files.confDir, "10-flannel.conflist")];
  for (const path of [loopback, list]) writeFileSync(path, "somebody else's");
  uninstallPlugin(files);
  assert.ok(existsSync(loopback) && existsSync(list));
  installPlugin(files, SOURCE);
  assert.equal(readFileSync(loopback, "utf8"), "somebody else's");
});

test("the network's list is what the specification and older runtimes want", () => {
  const list: Record<string, unknown> = JSON.parse(conflist());
  assert.deepEqual(
    [list["name"], list["cniVersion"], list["cniVersions"]],
    ["cbr0", "1.0.0", ["1.0.0", "1.1.0"]],
  );
});

test("a path that would be text of another kind in the executable is refused", () => {
  for (const path of ["", "cni.sock", "/a'; system('x'); '", "/a\n", `/${"a".repeat(107)}`])
    assert.throws(() => executableText(SOURCE, path), PluginError, path);
});
