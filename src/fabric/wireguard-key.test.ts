import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { generatePrivateKey, isWireguardKey } from "#wire/wireguard-key";
import { keepWireguardKey } from "./wireguard-key.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-wgkey-"));
after(() => rmSync(dir, { recursive: true, force: true }));

let files = 0;
/** A path whose folder is not there yet, and flannel's. */
function paths() {
  const own = join(dir, `${files++}`);
  return { path: join(own, "etc/flannel/wgkey"), inherited: join(own, "flannel-wgkey") };
}

function put(path: string, text: string, mode = 0o400): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

describe("the key file of WireGuard", () => {
  test("a key is made once", () => {
    const files = paths();
    const key = keepWireguardKey(files);
    assert.ok(isWireguardKey(key));
    assert.equal(keepWireguardKey(files), key);
    assert.equal(readFileSync(files.path, "utf8"), `${key}\n`);
    assert.equal(statSync(files.path).mode & 0o777, 0o400);
    assert.deepEqual(readdirSync(dirname(files.path)), ["wgkey"]);
    assert.notEqual(keepWireguardKey(paths()), key);
  });

  test("flannel's is taken over once, and then kept whatever becomes of that", () => {
    const files = paths();
    const key = generatePrivateKey();
    put(files.inherited, key);
    assert.equal(keepWireguardKey(files), key);
    put(files.inherited, generatePrivateKey(), 0o600);
    assert.equal(keepWireguardKey(files), key);
    rmSync(files.inherited);
    assert.equal(keepWireguardKey(files), key);
  });

  test("what flannel left damaged does not count", () => {
    const files = paths();
    put(files.inherited, "rubbish");
    assert.ok(isWireguardKey(keepWireguardKey(files)));
  });

  test("a key that others may read is theirs no more", () => {
    const files = paths();
    const key = generatePrivateKey();
    put(files.path, key, 0o644);
    assert.equal(keepWireguardKey(files), key);
    assert.equal(statSync(files.path).mode & 0o777, 0o400);
  });

  for (const [why, text] of [
    ["empty", ""],
    ["cut short", generatePrivateKey().slice(0, 20)],
    ["all zero", `${"A".repeat(43)}=`],
    ["two keys", `${generatePrivateKey()}\n${generatePrivateKey()}\n`],
  ] as const)
    test(`a file that is ${why} is told by name, and left`, () => {
      const files = paths();
      put(files.path, text);
      assert.throws(
        () => keepWireguardKey(files),
        (error: Error & { code?: string }) =>
          error.code === "BadKeyFile" &&
          error.message.includes(files.path) &&
          !(text && error.message.includes(text)),
      );
      assert.equal(readFileSync(files.path, "utf8"), text);
    });

  test("a folder in its place is told by name", () => {
    const files = paths();
    mkdirSync(files.path, { recursive: true });
    assert.throws(() => keepWireguardKey(files), { code: "BadKeyFile" });
  });
});
