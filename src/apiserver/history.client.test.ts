import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, type Line, watchPath } from "./testing/client.ts";
import { openHandClock } from "./testing/hand-clock.ts";
import { openRig, type Rig } from "./testing/rig.ts";

const clock = openHandClock();
const MINUTE = 60_000;
const MAPS = "/api/v1/namespaces/default/configmaps";
let rig: Rig;
before(async () => {
  rig = await openRig({ clock });
});
after(() => rig[Symbol.asyncDispose]());

async function create(path: string, name: string, data: object = {}): Promise<Line> {
  const { code, body, text } = await ask(rig, "POST", path, { body: { metadata: { name }, ...data } });
  assert.equal(code, 201, text);
  return body;
}

test("what is older than the history is Expired: in the stream of a watch, as 410 on a list", async () => {
  const { metadata } = await create(MAPS, "old");
  await create(MAPS, "older");
  const first = (await ask(rig, "GET", `${MAPS}?limit=1`)).body;
  await create(MAPS, "new");
  // Two periods of five minutes, and room for the disk to take its time in between.
  await clock.advance(20 * MINUTE);
  using watching = await watchPath(rig, `${MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  assert.equal(watching.response.statusCode, 200);
  const event = await watching.next();
  assert.deepEqual([event.type, event.object.reason, event.object.code], ["ERROR", "Expired", 410]);
  assert.match(event.object.message, /^too old resource version: \d+ \(\d+\)$/);
  assert.equal(await watching.next(), undefined);
  const exact = await ask(
    rig,
    "GET",
    `${MAPS}?resourceVersionMatch=Exact&resourceVersion=${metadata.resourceVersion}`,
  );
  assert.deepEqual([exact.code, exact.body.reason], [410, "Expired"]);
  const rest = await ask(rig, "GET", `${MAPS}?limit=1&continue=${first.metadata.continue}`);
  assert.equal(rest.code, 410);
  assert.match(rest.body.message, /^The provided continue parameter is too old/);
  const onward = await ask(rig, "GET", `${MAPS}?continue=${rest.body.metadata.continue}`);
  assert.deepEqual(
    onward.body.items.map((item: Line) => item.metadata.name),
    ["older"],
  );
});

test("a quiet watch hears once a minute how far it is", async () => {
  const { metadata } = await create(MAPS, "quiet");
  using watching = await watchPath(
    rig,
    `${MAPS}?watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dnobody&resourceVersion=${metadata.resourceVersion}`,
  );
  const elsewhere = await create(MAPS, "elsewhere");
  await clock.advance(MINUTE + 1);
  const event = await watching.next();
  assert.equal(event.type, "BOOKMARK");
  assert.ok(Number(event.object.metadata.resourceVersion) >= Number(elsewhere.metadata.resourceVersion));
  assert.equal(event.object.kind, "ConfigMap");
});

test("a watcher that does not read is cut off; others and the writers do not notice", async () => {
  const { metadata } = await create(MAPS, "flood");
  const path = `${MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`;
  using slow = await watchPath(rig, path);
  using quick = await watchPath(rig, path);
  slow.response.pause();
  slow.response.socket.pause();
  const closed = new Promise<void>((resolve) => slow.response.once("close", () => resolve()));
  slow.response.on("error", () => {});
  const seen = (async () => {
    for (let i = 0; i < 40; i++) assert.equal((await quick.next()).type, "ADDED");
  })();
  for (let i = 0; i < 40; i++) await create(MAPS, `flood-${i}`, { data: { a: "x".repeat(600_000) } });
  await seen;
  slow.response.socket.resume();
  slow.response.resume();
  await closed;
});

test("events live an hour", async () => {
  const path = "/api/v1/namespaces/default/events";
  const involvedObject = { kind: "Pod", namespace: "default", name: "p" };
  await create(path, "e", { involvedObject, reason: "Test", type: "Normal" });
  await clock.advance(50 * MINUTE);
  assert.equal((await ask(rig, "GET", `${path}/e`)).code, 200);
  await clock.advance(15 * MINUTE);
  // The sweep has begun by now; its write to disk takes its own time.
  const until = performance.now() + 10_000;
  let code = 200;
  while (code === 200 && performance.now() < until) ({ code } = await ask(rig, "GET", `${path}/e`));
  assert.equal(code, 404);
});
