/** A disk of two megabytes, in a mount namespace of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const PROGRAM = `
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
const { openStore } = await import(process.argv[2]);
const dir = process.argv[3];
writeFileSync(dir + "/ballast", Buffer.alloc(400_000));
const path = dir + "/a.db";
const acknowledged = new Map();
let refusal;
{
  await using store = await openStore({ path });
  for (let i = 0; refusal === undefined && i < 1000; i++) {
    const value = String(i).repeat(3000);
    await store.write({ key: "/" + i, value, expected: 0 }).then(
      () => acknowledged.set("/" + i, value),
      (error) => { refusal = error; },
    );
  }
  assert.equal(refusal?.code, "StoreRefused");
  assert.equal(refusal.message, "Cannot write to the store: the disk is full; free some space on it");
}
const present = (store) => new Map([...store.replay()].flat().map(({ key, value }) => [key, value]));
{
  await using again = await openStore({ path });
  assert.deepEqual(present(again), acknowledged);
  rmSync(dir + "/ballast");
  assert.equal((await again.write({ key: "/more", value: "x", expected: 0 })).kind, "written");
}
await using last = await openStore({ path });
assert.deepEqual(present(last), acknowledged.set("/more", "x"));
console.log(acknowledged.size);
`;

test("a full disk refuses with a sentence, keeps what was acknowledged, and takes writes again once there is room", () => {
  const dir = mkdtempSync(join(tmpdir(), "store-full-"));
  try {
    writeFileSync(join(dir, "program.mjs"), PROGRAM);
    const script = `mkdir "$2" && mount -t tmpfs -o size=2m none "$2" && exec "$0" "$1" "$3" "$2"`;
    const store = new URL("./open.ts", import.meta.url).href;
    const words = [process.execPath, join(dir, "program.mjs"), join(dir, "disk"), store];
    const ran = spawnSync("unshare", ["--mount", "sh", "-c", script, ...words], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    assert.ok(Number(ran.stdout) > 50, ran.stdout);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
