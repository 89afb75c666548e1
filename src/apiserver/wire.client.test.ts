import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { ask, type Line, type Watching, watchPath } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
  for (const name of ["lists", "watches", "pods"])
    assert.equal((await ask(rig, "POST", "/api/v1/namespaces", { body: { metadata: { name } } })).code, 201);
  for (const namespace of ["pods", "default"])
    await ask(rig, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      body: { metadata: { name: "default" } },
    });
});
after(() => rig[Symbol.asyncDispose]());

const MERGE = { "content-type": "application/merge-patch+json" };
const LISTS = "/api/v1/namespaces/lists/configmaps";
const WATCHES = "/api/v1/namespaces/watches/configmaps";
const PODS = "/api/v1/namespaces/pods/pods";

async function create(path: string, name: string, extra: object = {}): Promise<Line> {
  const { code, body, text } = await ask(rig, "POST", path, { body: { metadata: { name, ...extra } } });
  assert.equal(code, 201, text);
  return body;
}

async function label(path: string, name: string, labels: object): Promise<Line> {
  const { code, body, text } = await ask(rig, "PATCH", `${path}/${name}`, {
    headers: MERGE,
    body: { metadata: { labels } },
  });
  assert.equal(code, 200, text);
  return body;
}

const show = (event: Line) => event && [event.type, event.object.metadata?.name ?? event.object.reason];

test("lists are in key order, in pages of one revision, and say what is left", async () => {
  for (const name of ["c", "a", "d", "b", "e"]) await create(LISTS, name);
  const names = (body: Line) => body.items.map((item: Line) => item.metadata.name);
  const all = (await ask(rig, "GET", LISTS)).body;
  assert.deepEqual(names(all), ["a", "b", "c", "d", "e"]);
  assert.equal(all.kind, "ConfigMapList");
  assert.equal(all.items[0].kind, undefined);
  const first = (await ask(rig, "GET", `${LISTS}?limit=2`)).body;
  assert.deepEqual([names(first), first.metadata.remainingItemCount], [["a", "b"], 3]);
  await ask(rig, "DELETE", `${LISTS}/c`);
  await create(LISTS, "bb");
  const second = (await ask(rig, "GET", `${LISTS}?limit=2&continue=${first.metadata.continue}`)).body;
  assert.deepEqual(
    [names(second), second.metadata.resourceVersion],
    [["c", "d"], first.metadata.resourceVersion],
  );
  const third = (await ask(rig, "GET", `${LISTS}?limit=2&continue=${second.metadata.continue}`)).body;
  assert.deepEqual([names(third), third.metadata.continue], [["e"], undefined]);
  assert.deepEqual(names((await ask(rig, "GET", LISTS)).body), ["a", "b", "bb", "d", "e"]);
  const exact = await ask(
    rig,
    "GET",
    `${LISTS}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
  );
  assert.deepEqual(names(exact.body), ["a", "b", "c", "d", "e"]);
});

const refusals: readonly {
  name: string;
  method?: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  code: number;
  reason?: string;
  message?: RegExp;
}[] = [
  {
    name: "no such object",
    path: "/apis/apps/v1/namespaces/default/deployments/x",
    code: 404,
    reason: "NotFound",
    message: /^deployments.apps "x" not found$/,
  },
  { name: "no such resource", path: "/api/v1/frobs", code: 404 },
  { name: "no such group", path: "/apis/frob.io/v1", code: 404 },
  { name: "a cluster's resource in a namespace", path: "/api/v1/namespaces/default/nodes", code: 404 },
  {
    name: "a bad continue token",
    path: `${LISTS}?continue=zzz`,
    code: 400,
    reason: "BadRequest",
    message: /^continue key is not valid/,
  },
  {
    name: "a bad resource version",
    path: `${LISTS}?resourceVersion=x`,
    code: 400,
    message: /^invalid resource version/,
  },
  {
    name: "a future resource version",
    path: `${LISTS}?resourceVersion=999999999`,
    code: 504,
    reason: "Timeout",
    message: /^Timeout: Too large resource version: 999999999, current: /,
  },
  {
    name: "match without a version",
    path: `${LISTS}?resourceVersionMatch=Exact`,
    code: 422,
    message: /forbidden unless resourceVersion is provided/,
  },
  {
    name: "initial events of a list",
    path: `${LISTS}?sendInitialEvents=true`,
    code: 422,
    message: /forbidden for list/,
  },
  {
    name: "initial events without a match",
    path: `${WATCHES}?watch=1&sendInitialEvents=true`,
    code: 422,
    message: /requires setting resourceVersionMatch/,
  },
  {
    name: "an unacceptable form",
    path: LISTS,
    headers: { accept: "text/html" },
    code: 406,
    reason: "NotAcceptable",
  },
  {
    name: "an unknown encoding",
    method: "POST",
    path: LISTS,
    body: "x",
    headers: { "content-type": "text/csv" },
    code: 415,
    reason: "UnsupportedMediaType",
  },
  { name: "no JSON", method: "POST", path: LISTS, body: "{", code: 400, reason: "BadRequest" },
  {
    name: "another kind",
    method: "POST",
    path: LISTS,
    body: { kind: "Secret", metadata: { name: "x" } },
    code: 400,
    message: /^no kind "Secret" is registered/,
  },
  {
    name: "another version",
    method: "POST",
    path: LISTS,
    body: { apiVersion: "v2", metadata: { name: "x" } },
    code: 400,
    message: /does not match the expected API version \(v1\)/,
  },
  {
    name: "another namespace",
    method: "POST",
    path: LISTS,
    body: { metadata: { name: "x", namespace: "default" } },
    code: 400,
    message: /namespace of the provided object does not match/,
  },
  {
    name: "another name",
    method: "PUT",
    path: `${LISTS}/a`,
    body: { metadata: { name: "x" } },
    code: 400,
    message: /^the name of the object \(x\) does not match the name on the URL \(a\)$/,
  },
  {
    name: "no name",
    method: "POST",
    path: LISTS,
    body: { metadata: {} },
    code: 422,
    reason: "Invalid",
    message: /name or generateName is required/,
  },
  {
    name: "a bad name",
    method: "POST",
    path: LISTS,
    body: { metadata: { name: "A_b" } },
    code: 422,
    message: /a lowercase RFC 1123 subdomain must consist of/,
  },
  {
    name: "a name that is taken",
    method: "POST",
    path: LISTS,
    body: { metadata: { name: "a" } },
    code: 409,
    reason: "AlreadyExists",
    message: /^configmaps "a" already exists$/,
  },
  {
    name: "a namespace that is not there",
    method: "POST",
    path: "/api/v1/namespaces/nowhere/configmaps",
    body: { metadata: { name: "a" } },
    code: 404,
    message: /^namespaces "nowhere" not found$/,
  },
  {
    name: "an unknown field under Strict",
    method: "POST",
    path: `${LISTS}?fieldValidation=Strict`,
    body: { metadata: { name: "x" }, foo: 1 },
    code: 400,
    message:
      /^ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "foo"$/,
  },
  {
    name: "a duplicate field under Strict",
    method: "POST",
    path: `${LISTS}?fieldValidation=Strict`,
    body: '{"metadata": {"name": "x"}, "data": {"a": "1", "a": "2"}}',
    code: 400,
    message: /duplicate field "data.a"/,
  },
  {
    name: "a wrong type",
    method: "POST",
    path: LISTS,
    body: { metadata: { name: "x" }, data: { a: 1 } },
    code: 400,
    message: /json: cannot unmarshal number into Go struct field ConfigMap.data.a of type string/,
  },
  {
    name: "a bad fieldValidation",
    method: "POST",
    path: `${LISTS}?fieldValidation=Some`,
    body: { metadata: { name: "x" } },
    code: 422,
  },
  {
    name: "a bad dryRun",
    method: "POST",
    path: `${LISTS}?dryRun=Some`,
    body: { metadata: { name: "x" } },
    code: 422,
    message: /dryRun: Unsupported value: "Some": supported values: "All"/,
  },
  {
    name: "an apply without a manager",
    method: "PATCH",
    path: `${LISTS}/a`,
    headers: { "content-type": "application/apply-patch+yaml" },
    body: "{}",
    code: 422,
    message: /fieldManager: Required value/,
  },
  {
    name: "force without apply",
    method: "PATCH",
    path: `${LISTS}/a?force=true`,
    headers: MERGE,
    body: "{}",
    code: 422,
    message: /force: Forbidden/,
  },
  {
    name: "an unknown patch",
    method: "PATCH",
    path: `${LISTS}/a`,
    headers: { "content-type": "text/plain" },
    body: "{}",
    code: 415,
  },
  {
    name: "deleting a namespace that must stay",
    method: "DELETE",
    path: "/api/v1/namespaces/default",
    code: 403,
    message: /this namespace may not be deleted/,
  },
  {
    name: "a verb that the kind has not",
    method: "DELETE",
    path: "/api/v1/namespaces",
    code: 405,
    reason: "MethodNotAllowed",
  },
];

for (const { name, method = "GET", path, body, headers, code, reason, message } of refusals)
  test(`refused: ${name}`, async () => {
    const answer = await ask(rig, method, path, {
      ...(body === undefined ? {} : { body }),
      ...(headers ? { headers } : {}),
    });
    assert.equal(answer.code, code, answer.text);
    if (reason !== undefined) assert.equal(answer.body.reason, reason);
    if (message !== undefined) assert.match(answer.body.message, message);
  });

test("without credentials only health and version are shown; bad ones are refused", async () => {
  assert.equal((await ask(rig, "GET", "/livez", { as: "nobody" })).text, "ok");
  assert.equal((await ask(rig, "GET", "/version", { as: "nobody" })).code, 200);
  const denied = await ask(rig, "GET", "/api/v1/nodes", { as: "nobody" });
  assert.equal(denied.code, 403);
  assert.equal(
    denied.body.message,
    'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope',
  );
  assert.equal(
    (await ask(rig, "GET", "/apis", { as: "nobody" })).body.message,
    'forbidden: User "system:anonymous" cannot get path "/apis"',
  );
  assert.equal((await ask(rig, "GET", "/version", { as: { token: "a.b.c" } })).code, 401);
});

test("a node may do a node's work and no more", async () => {
  const as = rig.certificate("system:node:n1", "system:nodes");
  assert.equal((await ask(rig, "GET", "/api/v1/pods", { as })).code, 200);
  assert.equal(
    (await ask(rig, "POST", "/api/v1/nodes", { as, body: { metadata: { name: "n1" } } })).code,
    201,
  );
  assert.equal(
    (await ask(rig, "POST", "/api/v1/nodes", { as, body: { metadata: { name: "n2" } } })).code,
    403,
  );
  assert.equal((await ask(rig, "DELETE", "/api/v1/namespaces/lists", { as })).code, 403);
  await ask(rig, "DELETE", "/api/v1/nodes/n1");
});

test("objects that begin and cease to match a selector come and go; a deletion has its own revision", async () => {
  const made = await create(WATCHES, "sel", { labels: { on: "no" } });
  using watching = await watchPath(
    rig,
    `${WATCHES}?watch=1&labelSelector=on%3Dyes&resourceVersion=${made.metadata.resourceVersion}`,
  );
  assert.equal(watching.response.statusCode, 200);
  assert.equal(watching.response.headers["content-type"], "application/json");
  await label(WATCHES, "sel", { on: "yes" });
  await label(WATCHES, "sel", { on: "yes", more: "x" });
  const left = await label(WATCHES, "sel", { on: "no" });
  await label(WATCHES, "sel", { on: "yes" });
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
  const { metadata } = await create(WATCHES, "first");
  for (let i = 0; i < 20; i++) await label(WATCHES, "first", { n: String(i) });
  using watching = await watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  for (let i = 0; i < 20; i++) assert.equal((await watching.next()).object.metadata.labels.n, String(i));
});

test("a streaming list gives what is there, says where it ends, and goes on", async () => {
  await create(WATCHES, "s1");
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
  const made = await create(WATCHES, "s2");
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
  const { metadata } = await create(WATCHES, "t1");
  using watching = await watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`, {
    headers: { accept },
  });
  await create(WATCHES, "t2");
  await create(WATCHES, "t3");
  const [one, two] = [await watching.next(), await watching.next()];
  assert.equal(one.object.kind, "Table");
  assert.equal(one.object.columnDefinitions[0].name, "Name");
  assert.deepEqual(
    one.object.rows.map((row: Line) => row.cells[0]),
    ["t2"],
  );
  assert.equal(one.object.rows[0].object.kind, "PartialObjectMetadata");
  assert.deepEqual(two.object.columnDefinitions, []);
});

test("many watchers of one resource all see everything", async () => {
  const { metadata } = await create(WATCHES, "many");
  const watchers: Watching[] = await Promise.all(
    Array.from({ length: 30 }, () =>
      watchPath(rig, `${WATCHES}?watch=1&resourceVersion=${metadata.resourceVersion}`),
    ),
  );
  await Promise.all(Array.from({ length: 40 }, (_, i) => create(WATCHES, `many-${i}`)));
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

test("a write that changes nothing writes nothing", async () => {
  const made = await create(LISTS, "same", { labels: { a: "b" } });
  const again = await label(LISTS, "same", { a: "b" });
  assert.equal(again.metadata.resourceVersion, made.metadata.resourceVersion);
  const put = await ask(rig, "PUT", `${LISTS}/same`, { body: made });
  assert.equal(put.body.metadata.resourceVersion, made.metadata.resourceVersion);
});

test("a write that expects another state is a conflict; one that expects none wins", async () => {
  const made = await create(LISTS, "race");
  await label(LISTS, "race", { a: "1" });
  const stale = await ask(rig, "PUT", `${LISTS}/race`, { body: { ...made, data: { x: "1" } } });
  assert.deepEqual([stale.code, stale.body.reason], [409, "Conflict"]);
  const { resourceVersion: _version, ...metadata } = made.metadata;
  assert.equal((await ask(rig, "PUT", `${LISTS}/race`, { body: { metadata, data: { x: "1" } } })).code, 200);
  const other = await ask(rig, "DELETE", `${LISTS}/race`, { body: { preconditions: { uid: "other" } } });
  assert.match(other.body.message, /Precondition failed: UID in precondition: other/);
  const writes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => label(LISTS, "race", { [`l${i}`]: "x" })),
  );
  assert.equal(
    Object.keys((await ask(rig, "GET", `${LISTS}/race`)).body.metadata.labels).filter((key) =>
      key.startsWith("l"),
    ).length,
    20,
  );
  assert.equal(new Set(writes.map(({ metadata: { resourceVersion } }) => resourceVersion)).size, 20);
});

test("names are generated, and unknown fields warned of", async () => {
  const { code, body, headers } = await ask(rig, "POST", LISTS, {
    body: { metadata: { generateName: "gen-" }, foo: 1 },
  });
  assert.equal(code, 201);
  assert.match(body.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(headers["warning"], '299 - "unknown field \\"foo\\""');
});

test("finalizers hold what is deleted until the last one goes", async () => {
  await create(LISTS, "held", { finalizers: ["example.com/a"] });
  const marked = await ask(rig, "DELETE", `${LISTS}/held`);
  assert.equal(marked.code, 200);
  assert.ok(marked.body.metadata.deletionTimestamp);
  const taken = await ask(rig, "POST", LISTS, { body: { metadata: { name: "held" } } });
  assert.match(taken.body.message, /^object is being deleted: configmaps "held" already exists$/);
  const more = await ask(rig, "PATCH", `${LISTS}/held`, {
    headers: MERGE,
    body: { metadata: { finalizers: ["example.com/a", "example.com/b"] } },
  });
  assert.equal(more.code, 422);
  const released = await ask(rig, "PATCH", `${LISTS}/held`, {
    headers: MERGE,
    body: { metadata: { finalizers: null } },
  });
  assert.equal(released.code, 200);
  assert.equal((await ask(rig, "GET", `${LISTS}/held`)).code, 404);
});

test("a collection is deleted by selector", async () => {
  await create(LISTS, "x1", { labels: { gone: "yes" } });
  await create(LISTS, "x2", { labels: { gone: "yes" } });
  const { body } = await ask(rig, "DELETE", `${LISTS}?labelSelector=gone%3Dyes`);
  assert.deepEqual(
    body.items.map((item: Line) => item.metadata.name),
    ["x1", "x2"],
  );
  assert.equal((await ask(rig, "GET", `${LISTS}/a`)).code, 200);
  assert.equal((await ask(rig, "GET", `${LISTS}/x1`)).code, 404);
});

async function createPod(name: string): Promise<Line> {
  const { code, body, text } = await ask(rig, "POST", PODS, {
    body: { metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } },
  });
  assert.equal(code, 201, text);
  return body;
}

test("a pod is bound once, keeps its halves apart, and is deleted in two steps", async () => {
  await createPod("p");
  const binding = { body: { target: { kind: "Node", name: "n9" } } };
  const bound = await ask(rig, "POST", `${PODS}/p/binding`, binding);
  assert.deepEqual([bound.code, bound.body.status], [201, "Success"], bound.text);
  assert.match(
    (await ask(rig, "POST", `${PODS}/p/binding`, binding)).body.message,
    /already assigned to node "n9"/,
  );
  const running = await ask(rig, "PATCH", `${PODS}/p/status`, {
    headers: MERGE,
    body: { status: { phase: "Running" }, spec: { nodeName: "other" } },
  });
  assert.deepEqual(
    [running.body.status.phase, running.body.spec.nodeName, running.body.status.qosClass],
    ["Running", "n9", "BestEffort"],
  );
  const main = await ask(rig, "PATCH", `${PODS}/p`, {
    headers: MERGE,
    body: { status: { phase: "Failed" }, metadata: { labels: { a: "b" } } },
  });
  assert.deepEqual([main.body.status.phase, main.body.metadata.labels.a], ["Running", "b"]);
  const marked = await ask(rig, "DELETE", `${PODS}/p`);
  assert.equal(marked.body.metadata.deletionGracePeriodSeconds, 30);
  assert.equal(
    (await ask(rig, "DELETE", `${PODS}/p`)).body.metadata.deletionTimestamp,
    marked.body.metadata.deletionTimestamp,
  );
  const gone = await ask(rig, "DELETE", `${PODS}/p`, {
    body: { gracePeriodSeconds: 0, preconditions: { uid: marked.body.metadata.uid } },
  });
  assert.deepEqual([gone.code, gone.body.kind], [200, "Pod"]);
  assert.equal((await ask(rig, "GET", `${PODS}/p`)).code, 404);
});

test("a pod that runs nowhere goes at once, also by eviction", async () => {
  await createPod("idle");
  assert.equal((await ask(rig, "DELETE", `${PODS}/idle`)).code, 200);
  assert.equal((await ask(rig, "GET", `${PODS}/idle`)).code, 404);
  await createPod("evicted");
  const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "evicted" } };
  assert.equal((await ask(rig, "POST", `${PODS}/evicted/eviction`, { body })).code, 201);
  assert.equal((await ask(rig, "GET", `${PODS}/evicted`)).code, 404);
});

test("scale reads and writes replicas", async () => {
  const path = "/apis/apps/v1/namespaces/default/deployments";
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  await ask(rig, "POST", path, {
    body: { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } },
  });
  const scale = (await ask(rig, "GET", `${path}/d/scale`)).body;
  assert.deepEqual([scale.kind, scale.spec.replicas, scale.status.selector], ["Scale", 1, "a=b"]);
  const put = await ask(rig, "PUT", `${path}/d/scale`, { body: { ...scale, spec: { replicas: 4 } } });
  assert.equal(put.body.spec.replicas, 4);
  const patched = await ask(rig, "PATCH", `${path}/d/scale`, {
    headers: MERGE,
    body: { spec: { replicas: -1 } },
  });
  assert.match(patched.body.message, /spec.replicas: Invalid value: -1: must be greater than or equal to 0/);
  const live = (await ask(rig, "GET", `${path}/d`)).body;
  assert.deepEqual([live.spec.replicas, live.metadata.generation], [4, 2]);
});

test("tokens say who a service account is, until what they are bound to is gone", async () => {
  const pod = await createPod("bound");
  const path = "/api/v1/namespaces/pods/serviceaccounts/default/token";
  const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "bound", uid: pod.metadata.uid };
  const { body } = await ask(rig, "POST", path, {
    body: { spec: { audiences: [], expirationSeconds: 3607, boundObjectRef } },
  });
  const as = { token: body.status.token };
  const whoami = { body: {}, as };
  const self = await ask(rig, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", whoami);
  assert.equal(self.body.status.userInfo.username, "system:serviceaccount:pods:default");
  const review = await ask(rig, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    body: { spec: { token: as.token } },
  });
  assert.deepEqual(
    [
      review.body.status.authenticated,
      review.body.status.user.extra["authentication.kubernetes.io/pod-name"],
    ],
    [true, ["bound"]],
  );
  assert.match(
    (await ask(rig, "POST", path, { body: { spec: { expirationSeconds: 10 } } })).body.message,
    /may not specify a duration less than 10 minutes/,
  );
  const forged = `${as.token.slice(0, -6)}AAAAAA`;
  assert.equal((await ask(rig, "GET", "/apis", { as: { token: forged } })).code, 401);
  await ask(rig, "DELETE", `${PODS}/bound`);
  assert.equal((await ask(rig, "GET", "/apis", { as })).code, 401);
});

test("logs come through from the node's kubelet, and only from one of the cluster's own", async () => {
  const kubelet = createServer(
    { ...rig.certificate("127.0.0.1", "kubelet"), ca: rig.ca, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      response.end(`log of ${request.url}\n`);
    },
  );
  await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
  const { port } = kubelet.address() as AddressInfo;
  const status = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  assert.equal(
    (await ask(rig, "POST", "/api/v1/nodes", { body: { metadata: { name: "n1" }, status } })).code,
    201,
  );
  await createPod("logger");
  assert.equal(
    (await ask(rig, "GET", `${PODS}/logger/log`)).text,
    "",
    "a pod without a node has said nothing",
  );
  await ask(rig, "POST", `${PODS}/logger/binding`, { body: { target: { kind: "Node", name: "n1" } } });
  const log = await ask(rig, "GET", `${PODS}/logger/log?tailLines=5&follow=true`);
  assert.deepEqual(
    [log.code, log.text],
    [200, "log of /containerLogs/pods/logger/c?follow=true&tailLines=5\n"],
  );
  assert.match(
    (await ask(rig, "GET", `${PODS}/logger/log?container=x`)).body.message,
    /^container x is not valid for pod logger$/,
  );
  assert.match(
    (await ask(rig, "GET", `${PODS}/logger/log?tailLines=-1`)).body.message,
    /must be greater than or equal to 0/,
  );
  await new Promise((resolve) => kubelet.close(resolve));
  const down = await ask(rig, "GET", `${PODS}/logger/log`);
  assert.equal(down.code, 500);
  assert.match(down.body.message, /ECONNREFUSED/);
  assert.equal((await ask(rig, "POST", `${PODS}/logger/exec?command=ls`)).code, 501);
});

test("discovery in both shapes, OpenAPI in three", async () => {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const apis = await ask(rig, "GET", "/apis", { headers: { accept } });
  assert.equal(
    apis.headers["content-type"],
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
  );
  assert.equal(apis.body.kind, "APIGroupDiscoveryList");
  const etag = String(apis.headers.etag);
  assert.equal((await ask(rig, "GET", "/apis", { headers: { accept, "if-none-match": etag } })).code, 304);
  const core = (await ask(rig, "GET", "/api/v1")).body.resources;
  const find = (name: string) => core.find((resource: Line) => resource.name === name);
  assert.deepEqual(find("pods/eviction"), {
    name: "pods/eviction",
    singularName: "",
    namespaced: true,
    group: "policy",
    version: "v1",
    kind: "Eviction",
    verbs: ["create"],
  });
  assert.equal(find("pods").storageVersionHash, "xPOwRZ+Yhw8=");
  const swagger = await ask(rig, "GET", "/openapi/v2", {
    headers: { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" },
  });
  assert.match(String(swagger.headers["content-type"]), /protobuf$/);
  const { serverRelativeURL } = (await ask(rig, "GET", "/openapi/v3")).body.paths["apis/apps/v1"];
  const v3 = await ask(rig, "GET", serverRelativeURL);
  assert.equal(v3.headers["cache-control"], "public, immutable");
  const { parameters } = v3.body.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].patch;
  assert.ok(parameters.some(({ name }: Line) => name === "fieldValidation"));
  assert.equal((await ask(rig, "GET", "/openapi/v3/apis/apps/v1?hash=old")).code, 301);
});
