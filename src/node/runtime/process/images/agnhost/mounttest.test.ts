import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatMode } from "./mounttest.ts";

const ENTRY = fileURLToPath(new URL("../../../../../../bin/images/agnhost.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mounttest-"));
after(() => rmSync(folder, { recursive: true }));

test("a file is made, and told of, in one command line", () => {
  const file = join(folder, "new");
  const flags = ["new_file_0660", "file_mode", "file_perm", "file_owner", "file_content_in_loop"];
  const args = ["mounttest", ...flags.map((flag) => `--${flag}=${file}`), "--retry_time=1"];
  assert.equal(
    execFileSync(process.execPath, [ENTRY, ...args], { encoding: "utf8" }),
    [
      `content of file "${file}": mount-tester new file\n`,
      `mode of file "${file}": -rw-rw----`,
      `perms of file "${file}": -rw-rw----`,
      `owner UID of "${file}": ${process.getuid?.()}`,
      `owner GID of "${file}": ${process.getgid?.()}`,
      `content of file "${file}": mount-tester new file\n\n`,
    ].join("\n"),
  );
});

const rows: readonly [mode: number, isDirectory: boolean, text: string][] = [
  [0o644, false, "-rw-r--r--"],
  [0o777, true, "drwxrwxrwx"],
  [0o1777, true, "dtrwxrwxrwx"],
  [0o2770, true, "dgrwxrwx---"],
  [0o4755, false, "urwxr-xr-x"],
];
for (const [mode, isDirectory, text] of rows)
  test(`mode ${text}`, () =>
    assert.equal(formatMode({ mode, isDirectory: () => isDirectory, isFile: () => !isDirectory }), text));
