import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ask,
  create,
  createNamespace,
  type Line,
  label,
  type Watching,
  watchPath,
} from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
  await createNamespace(rig, "watches");
});
after(() => rig[Symbol.asyncDispose]());

const WATCHES = "/api/v1/namespaces/watches/configmaps";
const show = (event: Line) => event && [event.type, event.object.metadata?.name ?? event.object.reason];

test("objects that begin and cease to match a selector come and go; a deletion has its own revision", async () => {
  const made = await create(rig, WATCHES, "sel", { labels: { on: "no" } });
  using watching = await watchPath(
    rig,
    `${WATCHES}?watch=1&labelSelector=on%3Dyes&resourceVersion=${made.metadata.resourceVersion}`,
  );
  assert.equal(watching.response.statusCode, 200);
  assert.equal(watching.response.headers["content-type"], "application/json");
  await label(rig, WATCHES, "sel", { on: "yes" });
  await label(rig, WATCHES, "sel", { on: "yes", more: "x" });
  const left = await label(rig, WATCHES, "sel", { on: "no" });
  await label(rig, WATCHES, "sel", { on: "yes" });
  await ask(rig, "DELETE", `${WATCHES}/sel`);
  const events: Line[] = [];
  while (events.length < 5) events.push(await watching.next());
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"],
  );
  assert.deepEqual(events[2].object.metadata.labels, { on: "yes", more: "x" }, "the state that matched last");
  assert.equal(events[2].object.metadata.resourceVersion, left.metadata.resourceVersion);
  assert.ok(
    Number(events[4].object.metadata.resourceVersion) > Number(events[3].object.metadata.resourceVersion),
  );
  assert.equal(events[0].object.kind, "ConfigMap");
});

test("a watch from a revision sees all that came after it, in order", async () => {
  const { metadata } = await create(rig, WATCHES, "first");
  for (let i = 0; i < 20; i++) await label(rig, WATCHES, "first", { n: String(i) });
  using watching = await watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  for (let i = 0; i < 20; i++) assert.equal((await watching.next()).object.metadata.labels.n, String(i));
});

test("a streaming list gives what is there, says where it ends, and goes on", async () => {
  await create(rig, WATCHES, "s1");
  using watching = await watchPath(
    rig,
    `${WATCHES}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  );
  const seen: string[] = [];
  let event: Line;
  for (event = await watching.next(); event.type === "ADDED"; event = await watching.next())
    seen.push(event.object.metadata.name);
  assert.deepEqual(seen, [...seen].sort());
  assert.ok(seen.includes("s1"));
  assert.equal(event.type, "BOOKMARK");
  assert.equal(event.object.metadata.annotations["k8s.io/initial-events-end"], "true");
  const made = await create(rig, WATCHES, "s2");
  assert.ok(Number(made.metadata.resourceVersion) > Number(event.object.metadata.resourceVersion));
  assert.deepEqual(show(await watching.next()), ["ADDED", "s2"]);
});

test("a watch ends at its deadline, with a bookmark shortly before", async () => {
  using watching = await watchPath(
    rig,
    `${WATCHES}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dnone&allowWatchBookmarks=true&timeoutSeconds=1`,
  );
  const first = await watching.next();
  assert.equal(first.type, "BOOKMARK");
  let last: Line = first;
  for (let event: Line = first; event !== undefined; event = await watching.next()) last = event;
  assert.equal(last.type, "BOOKMARK");
});

test("a watch as a table has columns in its first event only, one row each", async () => {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const { metadata } = await create(rig, WATCHES, "t1");
  using watching = await watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`, {
    headers: { accept },
  });
  await create(rig, WATCHES, "t2");
  await create(rig, WATCHES, "t3");
  const [one, two] = [await watching.next(), await watching.next()];
  assert.equal(one.object.kind, "Table");
  assert.equal(one.object.columnDefinitions[0].name, "Name");
  assert.deepEqual(
    one.object.rows.map((row: Line) => row.cells[0]),
    ["t2"],
  );
  assert.equal(one.object.rows[0].object.kind, "PartialObjectMetadata");
  assert.equal(two.object.columnDefinitions, null);
});

test("many watchers of one resource all see everything", async () => {
  const { metadata } = await create(rig, WATCHES, "many");
  const watchers: Watching[] = await Promise.all(
    Array.from({ length: 30 }, () =>
      watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`),
    ),
  );
  await Promise.all(Array.from({ length: 40 }, (_, i) => create(rig, WATCHES, `many-${i}`)));
  const seen = await Promise.all(
    watchers.map(async (watching) => {
      const revisions: number[] = [];
      while (revisions.length < 40)
        revisions.push(Number((await watching.next()).object.metadata.resourceVersion));
      watching[Symbol.dispose]();
      return revisions;
    }),
  );
  for (const revisions of seen)
    assert.deepEqual(
      revisions,
      [...revisions].sort((a, b) => a - b),
    );
});
