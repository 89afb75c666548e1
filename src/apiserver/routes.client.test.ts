import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, create, createNamespace, type Line, MERGE } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

const BASE = "/api/v1/namespaces/routes";
const MAPS = `${BASE}/configmaps`;
const PODS = `${BASE}/pods`;
let rig: Rig;
before(async () => {
  rig = await openRig();
  await createNamespace(rig, "routes");
  await create(rig, MAPS, "a");
  await makePod("p");
});
after(() => rig[Symbol.asyncDispose]());

async function makePod(name: string, more: object = {}): Promise<void> {
  const spec = { containers: [{ name: "c", image: "i" }], ...more };
  const { code, text } = await ask(rig, "POST", PODS, { body: { metadata: { name }, spec } });
  assert.equal(code, 201, text);
}

const NOWHERE = "the server could not find the requested resource";
const NOT_SO = "the server does not allow this method on the requested resource";
/** Method, path, code and message; plain text where there is no message. As kube-apiserver 1.36.1 answers. */
const routes: readonly (readonly [string, string, number, string?])[] = [
  ["GET", "/api/v2", 404, NOWHERE],
  ["GET", "/api/v1/foo", 404, NOWHERE],
  ["POST", `${BASE}/foo/x`, 404, NOWHERE],
  ["GET", `${PODS}/p/foo`, 404, NOWHERE],
  ["GET", `${PODS}/p/log/x`, 404, NOWHERE],
  ["GET", "/api/v1//pods", 404, NOWHERE],
  ["GET", "/api/v1/pods/p", 404, NOWHERE],
  ["GET", `${BASE}/nodes`, 404, NOWHERE],
  ["GET", "/apis/apps/v2", 404, NOWHERE],
  ["GET", "/apis/apps/v1/foo", 404, NOWHERE],
  ["POST", "/api/v1/bindings", 404, NOWHERE],
  ["GET", "/version/x", 404, NOWHERE],
  ["GET", "/apis/nope", 404],
  ["GET", "/apis/nope/v1/foo", 404],
  ["GET", "/foo", 404],
  ["PUT", MAPS, 405, NOT_SO],
  ["PATCH", MAPS, 405, NOT_SO],
  ["POST", `${MAPS}/a`, 405, NOT_SO],
  ["POST", "/api/v1/pods", 405, NOT_SO],
  ["DELETE", "/api/v1/pods", 405, NOT_SO],
  ["DELETE", "/api/v1/namespaces", 405, NOT_SO],
  ["OPTIONS", MAPS, 405, NOT_SO],
  ["DELETE", `${PODS}/p/status`, 405, NOT_SO],
  ["GET", `${PODS}/p/binding`, 405, NOT_SO],
  ["GET", `${BASE}/bindings`, 405, NOT_SO],
  ["GET", "/apis/authentication.k8s.io/v1/tokenreviews", 405, NOT_SO],
  ["POST", "/api", 405, NOT_SO],
  ["PUT", "/version", 405, NOT_SO],
  ["GET", `${PODS}/p/exec?command=ls`, 400, "pod p does not have a host assigned"],
  ["GET", `${PODS}/p/exec?container=x`, 400, "container x is not valid for pod p"],
  [
    "GET",
    `${PODS}/p/log?stream=Foo`,
    422,
    'PodLogOptions "p" is invalid: stream: Forbidden: may not be specified',
  ],
  ["GET", `${MAPS}?timeoutSeconds=abc`, 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
];
for (const [method, path, code, message] of routes)
  test(`${method} ${path}: ${code}`, async () => {
    const answer = await ask(rig, method, path, method === "GET" ? {} : { body: {}, headers: MERGE });
    assert.equal(answer.code, code, answer.text);
    if (message === undefined) assert.equal(answer.text, "404 page not found\n");
    else assert.equal(answer.body.message, message);
    if (message === NOWHERE || message === NOT_SO) assert.deepEqual(answer.body.details, {});
  });

test("HEAD is not routed", async () => assert.equal((await ask(rig, "HEAD", MAPS)).code, 405));

test("parameters are refused all together, as what they belong to", async () => {
  const query = `dryRun=Some&fieldValidation=No&fieldManager=${"x".repeat(129)}`;
  const { code, body } = await ask(rig, "POST", `${MAPS}?${query}`, { body: { metadata: { name: "b" } } });
  assert.equal(code, 422);
  assert.deepEqual(
    [body.details.group, body.details.kind, body.details.causes.map(({ field }: Line) => field)],
    ["meta.k8s.io", "CreateOptions", ["fieldManager", "dryRun", "fieldValidation"]],
  );
});

test("what is only tried has no version; what is put must be named", async () => {
  const tried = await ask(rig, "POST", `${MAPS}?dryRun=All`, { body: { metadata: { name: "tried" } } });
  assert.deepEqual([tried.code, tried.body.metadata.resourceVersion], [201, undefined]);
  const nameless = await ask(rig, "PUT", `${MAPS}/a`, { body: { data: {} } });
  assert.equal(nameless.code, 400);
  assert.match(nameless.body.message, /\(a based on URL\) was undeterminable: name must be provided/);
  const uid = await ask(rig, "PATCH", `${MAPS}/a`, { headers: MERGE, body: { metadata: { uid: "x" } } });
  assert.deepEqual([uid.code, uid.body.details.causes[0].field], [422, "metadata.uid"]);
});

test("an unscheduled pod is gone at once, and its end is told", async () => {
  await makePod("short");
  const { body } = await ask(rig, "DELETE", `${PODS}/short?gracePeriodSeconds=30`);
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = body.metadata;
  assert.deepEqual([typeof deletionTimestamp, deletionGracePeriodSeconds, generation], ["string", 0, 2]);
  assert.equal((await ask(rig, "GET", `${PODS}/short`)).code, 404);
});

test("a pod's time can only be shortened, counted from the first delete", async () => {
  await makePod("long", { nodeName: "n", terminationGracePeriodSeconds: 3600 });
  const end = async (query: string) => {
    const { metadata } = (await ask(rig, "DELETE", `${PODS}/long${query}`)).body;
    return [Date.parse(metadata.deletionTimestamp), metadata.deletionGracePeriodSeconds] as const;
  };
  const [first, grace] = await end("");
  assert.equal(grace, 3600);
  assert.deepEqual(await end("?gracePeriodSeconds=7200"), [first, 3600]);
  assert.deepEqual(await end("?gracePeriodSeconds=1800"), [first - 1_800_000, 1800]);
});

test("many are told as they were; a job's pods are spoken of", async () => {
  await ask(rig, "PATCH", `${MAPS}/a`, { headers: MERGE, body: { metadata: { finalizers: ["a.b/c"] } } });
  const { body } = await ask(rig, "DELETE", `${MAPS}?fieldSelector=metadata.name=a`);
  assert.deepEqual([body.items.length, body.items[0].metadata.deletionTimestamp], [1, undefined]);
  await ask(rig, "PATCH", `${MAPS}/a`, { headers: MERGE, body: { metadata: { finalizers: [] } } });
  assert.equal((await ask(rig, "GET", `${MAPS}/a`)).code, 404);
  const jobs = await ask(rig, "DELETE", "/apis/batch/v1/namespaces/routes/jobs");
  assert.match(String(jobs.headers["warning"]), /child pods are preserved by default/);
});

test("a binding may come by the older path, and is refused in its own name", async () => {
  await makePod("old");
  const body = { metadata: { name: "old" }, target: { kind: "Node", name: "n" } };
  assert.equal((await ask(rig, "POST", `${BASE}/bindings`, { body })).code, 201);
  const again = await ask(rig, "POST", `${PODS}/old/binding`, { body });
  assert.deepEqual([again.code, again.body.details.kind], [409, "pods/binding"]);
  const other = await ask(rig, "POST", `${PODS}/p/binding`, { body });
  assert.match(other.body.message, /name in URL does not match name in Binding object/);
});
