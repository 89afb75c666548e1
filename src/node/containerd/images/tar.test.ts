import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromFile, type TarEntry, tarHeader, writeTar } from "./tar.ts";

async function bytesOf(entries: readonly TarEntry[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(entries)));
}

const listing = (archive: Buffer) =>
  execFileSync("tar", ["tvf", "-", "--full-time"], { input: archive, encoding: "utf8" });
const file = (path: string, content: Uint8Array): TarEntry => ({
  kind: "file",
  path,
  mode: 0o644,
  content,
});

test("tar reads what was written: kinds, modes, owners, times, long paths, content", async () => {
  const long = `${"d".repeat(90)}/${"f".repeat(90)}`;
  const archive = await bytesOf([
    { kind: "folder", path: "tmp", mode: 0o1777 },
    { kind: "link", path: "tmp/link", to: "../etc" },
    file("empty", new Uint8Array()),
    file("block", new Uint8Array(512).fill(65)),
    file(long, Buffer.from("found")),
  ]);
  const lines = listing(archive).trim().split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(/\s+/).join(" ")),
    [
      "drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/",
      "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 tmp/link -> ../etc",
      "-rw-r--r-- 0/0 0 1970-01-01 00:00:00 empty",
      "-rw-r--r-- 0/0 512 1970-01-01 00:00:00 block",
      `-rw-r--r-- 0/0 5 1970-01-01 00:00:00 ${long}`,
    ],
  );
  assert.equal(execFileSync("tar", ["xOf", "-", long], { input: archive, encoding: "utf8" }), "found");
});

test("files of the machine are read when the archive is written, and must not change size", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "twill-tar-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "big");
  writeFileSync(path, Buffer.alloc(3 << 20, "x"));
  const content = fromFile(path);
  const entry: TarEntry = { kind: "file", path: "big", mode: 0o755, content };
  const out = execFileSync("tar", ["xOf", "-", "big"], { input: await bytesOf([entry]), maxBuffer: 8 << 20 });
  assert.equal(out.length, 3 << 20);
  writeFileSync(path, "shorter");
  await assert.rejects(bytesOf([entry]), { code: "BadEntry", message: /big.*changed/ });
});

const bad: readonly [name: string, entry: TarEntry][] = [
  ["a name that no field holds", file("n".repeat(101), new Uint8Array())],
  [
    "a name with no slash where one is needed",
    file(`${"d".repeat(160)}/${"f".repeat(60)}`, new Uint8Array()),
  ],
  ["a link that leads too far", { kind: "link", path: "l", to: "t".repeat(101) }],
];
for (const [name, entry] of bad) {
  test(`ustar refuses ${name}`, () => assert.throws(() => tarHeader(entry, 0), { code: "BadEntry" }));
}
