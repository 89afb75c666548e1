import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps } from "../kinds/core/config.ts";
import { type CacheEvent, History } from "./history.ts";
import { ResourceCache } from "./resource-cache.ts";
import { SortedKeys } from "./sorted-keys.ts";
import { Stored } from "./stored.ts";

test("keys stay sorted, each once, and are found by prefix", () => {
  const keys = new SortedKeys();
  let seed = 7;
  const all = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    const key = `${"ab"[seed % 2]}/${seed % 300}`;
    if (seed % 5 === 0) {
      keys.delete(key);
      all.delete(key);
    } else {
      keys.add(key);
      all.add(key);
    }
  }
  assert.deepEqual(keys.range("", ""), [...all].sort());
  assert.deepEqual(keys.range("b/", ""), [...all].filter((key) => key.startsWith("b/")).sort());
  assert.deepEqual(
    keys.range("a/", "a/2"),
    [...all].filter((key) => key.startsWith("a/") && key >= "a/2").sort(),
  );
});

function filled(): ResourceCache {
  const cache = new ResourceCache(configMaps, { forgotten: 0 });
  const value = (name: string, data: string) =>
    cache.format.encode({ metadata: { name, namespace: "n" }, data: { data } });
  cache.apply("n/a", 1, value("a", "1"));
  cache.apply("n/b", 2, value("b", "1"));
  cache.apply("n/a", 3, value("a", "2"));
  cache.apply("n/b", 4, undefined);
  cache.apply("n/c", 5, value("c", "1"));
  return cache;
}

test("the past can be listed as it was, as far as it is remembered", () => {
  const cache = filled();
  const at = (revision: number) =>
    cache
      .listAt(revision, "n/")
      ?.map((stored) => `${stored.object.metadata.name}@${stored.object.metadata.resourceVersion}`);
  assert.deepEqual(at(1), ["a@1"]);
  assert.deepEqual(at(2), ["a@1", "b@2"]);
  assert.deepEqual(at(3), ["a@3", "b@2"]);
  assert.deepEqual(at(4), ["a@3"]);
  assert.deepEqual(at(5), ["a@3", "c@5"]);
  cache.forget(3);
  assert.equal(at(2), undefined);
  assert.deepEqual(at(3), ["a@3", "b@2"]);
});

test("events carry the state before and after, and end where memory does", () => {
  const cache = filled();
  const show = ({ revision, before, after }: CacheEvent) => [revision, before?.revision, after?.revision];
  assert.deepEqual(cache.eventsAfter(1)?.map(show), [
    [2, undefined, 2],
    [3, 1, 3],
    [4, 2, undefined],
    [5, undefined, 5],
  ]);
  cache.forget(4);
  assert.equal(cache.eventsAfter(3), undefined);
  assert.deepEqual(cache.eventsAfter(4)?.map(show), [[5, undefined, 5]]);
});

test("a text is spliced, not rewritten", () => {
  const cache = filled();
  const stored = cache.get("n/a");
  assert.ok(stored);
  assert.equal(JSON.parse(cache.format.at(stored, 99)).metadata.resourceVersion, "99");
  assert.deepEqual(Object.keys(JSON.parse(cache.format.item(stored))), ["metadata", "data"]);
});

test("history is bounded by the length of what it holds, and remembers some events however large", () => {
  const history = new History({ limit: 8192, limitChars: 1_000_000, forgotten: 0 });
  const large = new Stored("n/a", 1, "x".repeat(100_000));
  for (let revision = 1; revision <= 2000; revision++)
    history.push({ revision, key: "n/a", before: large, after: large });
  const kept = history.after(history.forgotten);
  assert.equal(kept.at(-1)?.revision, 2000);
  assert.equal(kept[0]?.revision, history.forgotten + 1, "without gaps");
  assert.ok(kept.length >= 256 && kept.length < 400, `${kept.length}`);
});

test("keys that come in bulk are sorted, and each once", () => {
  const keys = new SortedKeys();
  const some = Array.from({ length: 500 }, (_, i) => `k/${(i * 7919) % 250}`);
  for (const key of some) keys.add(key);
  assert.deepEqual(keys.range("", ""), [...new Set(some)].sort());
  assert.equal(keys.length, 250);
});
