import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { keepLinks, linkName } from "./log-links.ts";
import { tidyTurnedFiles, turnedName } from "./rotation.ts";

function folder(): { readonly dir: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), "twt-keep-"));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

const NOW = new Date("2026-01-02T03:04:05Z");

test("a turned log has the time in its name, and never another one's name", () => {
  using place = folder();
  const path = join(place.dir, "0.log");
  const names = [];
  for (let i = 0; i < 3; i++) {
    const name = turnedName(path, NOW);
    writeFileSync(name, "");
    names.push(name.slice(path.length));
  }
  rmSync(`${path}${names[0]}`); // Its name is not free again: it would be the oldest.
  names.push(turnedName(path, NOW).slice(path.length));
  assert.deepEqual(
    names,
    ["", ".000001", ".000002", ".000003"].map((number) => `.20260102-030405${number}`),
  );
});

test("turned logs are compressed but for the newest, and the oldest go", async () => {
  using place = folder();
  const path = join(place.dir, "0.log");
  writeFileSync(path, "now");
  for (let second = 10; second < 17; second++)
    writeFileSync(`${path}.20260102-0304${second}`, `at ${second}`);
  writeFileSync(`${path}.20260102-030410.tmp`, "cut short");
  writeFileSync(join(place.dir, "1.log"), "another");
  await tidyTurnedFiles(path, { maxBytes: 1, maxFiles: 4 });
  assert.deepEqual(readdirSync(place.dir).sort(), [
    "0.log",
    "0.log.20260102-030414.gz",
    "0.log.20260102-030415.gz",
    "0.log.20260102-030416",
    "1.log",
  ]);
  assert.equal(gunzipSync(readFileSync(`${path}.20260102-030414.gz`)).toString(), "at 14");
  await tidyTurnedFiles(path, { maxBytes: 1, maxFiles: 4 });
  assert.equal(readdirSync(place.dir).length, 5);
});

test("each run's log has a link, and links to nothing go", () => {
  using place = folder();
  const logs = join(place.dir, "pods");
  const links = join(place.dir, "containers");
  mkdirSync(logs);
  const linked = (id: string) => ({
    podName: "web",
    podNamespace: "default",
    run: { id, name: "main", logPath: join(logs, `${id}.log`) },
  });
  writeFileSync(join(logs, "a.log"), "");
  writeFileSync(join(logs, "b.log"), "");
  keepLinks(links, [linked("a"), linked("b")]);
  assert.deepEqual(readdirSync(links).sort(), ["web_default_main-a.log", "web_default_main-b.log"]);
  assert.equal(readlinkSync(join(links, "web_default_main-a.log")), join(logs, "a.log"));
  rmSync(join(logs, "b.log"));
  writeFileSync(join(links, "not-a-link.log"), "");
  keepLinks(links, [linked("a")]);
  assert.deepEqual(readdirSync(links).sort(), ["not-a-link.log", "web_default_main-a.log"]);
  assert.equal(linkName({ ...linked("c"), podName: "x".repeat(253) }).length, 255);
});
