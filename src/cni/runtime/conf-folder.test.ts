import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { loadNetwork } from "./conf-folder.ts";

const list = (name: string, more: object = {}) =>
  JSON.stringify({ cniVersion: "1.0.0", name, plugins: [{ type: "bridge" }], ...more });
const single = (name: string) => JSON.stringify({ cniVersion: "1.0.0", name, type: "ptp" });

const FOLDERS: readonly {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly network?: string;
  readonly plugins?: readonly string[];
  readonly message?: RegExp;
}[] = [
  { name: "nothing", files: {}, message: /^no network config found in \S+$/ },
  { name: "other files", files: { "10.conflist.tmp": "{", README: "" }, message: /^no network config found/ },
  {
    name: "a folder with a network's name",
    files: { "10.conflist/x": "" },
    message: /^no network config found/,
  },
  {
    name: "several files",
    files: { "20-b.conflist": list("b"), "10-a.conf": single("a"), "05-c.json": single("c") },
    network: "c",
    plugins: ["ptp"],
  },
  {
    name: "names in the order of their bytes",
    files: { "a.conf": single("a"), "B.conf": single("b") },
    network: "b",
  },
  {
    name: "a broken first file",
    files: { "10-a.conflist": "{", "20-b.conflist": list("b") },
    message: /^failed to load CNI config list file \S+10-a.conflist: .*JSON/,
  },
  { name: "a broken second file", files: { "10-a.conflist": list("a"), "20-b.conflist": "{" }, network: "a" },
  { name: "an empty file", files: { "10.conflist": "" }, message: /10.conflist: / },
  { name: "a list named as a plugin", files: { "10.conf": list("a") }, message: /10.conf: type: expected/ },
  {
    name: "a list without plugins and no folder of its name",
    files: { "10.conflist": JSON.stringify({ name: "a" }) },
    message: /no plugin configs found/,
  },
  {
    name: "plugins in files of their own",
    files: {
      "10.conflist": list("net"),
      "net/20.conf": JSON.stringify({ type: "tuning" }),
      "net/10.conf": JSON.stringify({ type: "portmap" }),
      "net/30.json": "{",
    },
    network: "net",
    plugins: ["bridge", "portmap", "tuning"],
  },
  {
    name: "plugins in files of their own that nobody wants",
    files: { "10.conflist": list("net", { loadOnlyInlinedPlugins: true }), "net/10.conf": "{" },
    network: "net",
    plugins: ["bridge"],
  },
  {
    name: "a broken plugin in a file of its own",
    files: { "10.conflist": list("net"), "net/10.conf": "{}" },
    message: /10.conflist: \S+net\/10.conf: type: expected/,
  },
  {
    name: "a file without an end",
    files: { "10.conflist": " ".repeat(2 * 1024 * 1024 + 1) },
    message: /larger than 2 MB/,
  },
];

for (const { name, files, network, plugins, message } of FOLDERS)
  test(`a folder with ${name}`, (t) => {
    const dir = mkdtempSync(join(tmpdir(), "twill-conf-"));
    t.after(() => rmSync(dir, { recursive: true }));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), text);
    }
    const found = loadNetwork(dir);
    if (message) assert.match(found.kind === "network" ? "" : found.message, message);
    else assert.equal(found.kind === "network" && found.list.name, network);
    if (plugins)
      assert.deepEqual(found.kind === "network" && found.list.plugins.map(({ type }) => type), plugins);
  });

test("a folder that is not there", () => {
  const found = loadNetwork("/nowhere/net.d");
  assert.deepEqual(found, { kind: "none", message: "no network config found in /nowhere/net.d" });
});

test("a folder that is a file", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "twill-conf-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "net.d"), "");
  const found = loadNetwork(join(dir, "net.d"));
  assert.match(found.kind === "none" ? found.message : "", /ENOTDIR/);
});
