import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { openFakeClient } from "./fake/client.ts";
import type { ConfigMap } from "./generated/types.ts";
import { openInformer } from "./open-informer.ts";
import { CONFIG_MAPS } from "./resources.ts";

function setup() {
  const client = openFakeClient();
  const abort = new AbortController();
  const lines: string[] = [];
  const open = () =>
    openInformer<ConfigMap>(client, CONFIG_MAPS, {
      clock: systemClock,
      log: openLog({ write: (line) => void lines.push(line), level: "info" }),
      signal: abort.signal,
      indexes: { color: ({ metadata }) => [metadata.labels?.["color"] ?? "none"] },
    });
  const create = (name: string, color: string) =>
    client.create(CONFIG_MAPS, { metadata: { name, namespace: "n", labels: { color } } });
  return { client, abort, lines, open, create };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `never held: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test("replays what exists, then tells changes, and files objects under indexes", async (t) => {
  const { client, abort, open, create } = setup();
  t.after(() => abort.abort());
  await create("a", "red");
  const informer = open();
  await informer.synced;
  const heard: string[] = [];
  informer.subscribe((change) => heard.push(`${change.type} ${change.key}`));
  await create("b", "red");
  await client.patch(
    CONFIG_MAPS,
    { namespace: "n", name: "a" },
    { metadata: { labels: { color: "blue" } } },
    { type: "merge" },
  );
  await client.delete(CONFIG_MAPS, { namespace: "n", name: "b" });
  await until(() => heard.length === 4);
  assert.deepEqual(heard, ["added n/a", "added n/b", "changed n/a", "removed n/b"]);
  assert.deepEqual(informer.byIndex("color", "red"), []);
  assert.equal(informer.byIndex("color", "blue")[0], informer.get("n/a"));
});

test("an expired watch lists again and tells only the difference", async (t) => {
  const { client, abort, open, create } = setup();
  t.after(() => abort.abort());
  await create("kept", "red");
  const gone = await create("gone", "red");
  const informer = open();
  await informer.synced;
  const heard: string[] = [];
  informer.subscribe((change) => heard.push(`${change.type} ${change.key}`));
  client.intercept(({ verb }) => (verb === "watch" || verb === "list" ? "Unreachable" : undefined));
  client.dropWatches();
  await client.delete(CONFIG_MAPS, gone.metadata);
  await create("gone", "blue");
  await create("new", "red");
  client.compact();
  client.intercept(() => undefined);
  await until(() => heard.length === 5);
  assert.deepEqual(heard.slice(0, 2), ["added n/gone", "added n/kept"]);
  assert.deepEqual(heard.slice(2), ["removed n/gone", "added n/gone", "added n/new"]);
});

test("says once that the server went away, and once that it is back", async (t) => {
  const { client, abort, lines, open, create } = setup();
  t.after(() => abort.abort());
  let refusals = 0;
  client.intercept(({ verb }) => (verb === "list" && ++refusals < 5 ? "Unreachable" : undefined));
  const informer = open();
  await informer.synced;
  await create("a", "red");
  await until(() => informer.list().length === 1);
  assert.equal(lines.filter((line) => line.includes("cannot watch")).length, 1);
  assert.equal(lines.filter((line) => line.includes("watching again")).length, 1);
});
