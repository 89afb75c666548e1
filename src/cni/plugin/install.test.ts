import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { conflist, executableText, installList, installPlugin, uninstallPlugin } from "./install.ts";
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

test("somebody's own list stands as it is, with flannel and the plugins of other folders beside, and goes again", (t) => {
  const files = folders(t);
  const other = join(files.dir, "other");
  mkdirSync(other);
  for (const name of ["bridge", "loopback"]) writeFileSync(join(other, name), "theirs");
  const text = '{"name": "mine", "plugins": [{"type": "flannel"}]}';
  const install = () => installList(files, SOURCE, { text, otherBinDirs: [other, "/nowhere", files.binDir] });
  install();
  install();
  const list = join(files.confDir, "10-flannel.conflist");
  assert.equal(readFileSync(list, "utf8"), text);
  assert.deepEqual(readdirSync(files.binDir), ["bridge", "flannel", "loopback", "twill-cni"]);
  assert.equal(readFileSync(join(files.binDir, "bridge"), "utf8"), "theirs");
  assert.match(readFileSync(join(files.binDir, "loopback"), "utf8"), /Twill/);
  uninstallPlugin(files);
  assert.deepEqual([...readdirSync(files.binDir), ...readdirSync(files.confDir)], ["bridge"]);
  install();
  writeFileSync(list, "changed by somebody");
  writeFileSync(join(files.binDir, "flannel"), "somebody else's");
  install();
  assert.equal(readFileSync(join(files.binDir, "flannel"), "utf8"), "somebody else's");
  writeFileSync(list, "changed again");
  uninstallPlugin(files);
  assert.deepEqual(readdirSync(files.confDir), ["10-flannel.conflist"]);
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
