import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, create, createNamespace, type Line, MERGE } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
  await createNamespace(rig, "lists");
  await create(rig, LISTS, "a");
});
after(() => rig[Symbol.asyncDispose]());

const LISTS = "/api/v1/namespaces/lists/configmaps";

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
    message: /^invalid continue token: continue key is not valid/,
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
    path: `${LISTS}?watch=1&sendInitialEvents=true`,
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
    message: /dryRun: Unsupported value: \["Some"\]: supported values: "All"/,
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
  for (const path of ["/api", "/apis", "/openapi/v2", "/metrics", "/livez/ping", "/api/v1/nodes"]) {
    const denied = await ask(rig, "GET", path, { as: "nobody" });
    assert.equal(denied.code, 401, path);
    assert.deepEqual(denied.body, {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "Unauthorized",
      reason: "Unauthorized",
      code: 401,
    });
    assert.equal(denied.headers["www-authenticate"], undefined);
  }
  assert.equal((await ask(rig, "GET", "/version", { as: { token: "a.b.c" } })).code, 401);
});

test("a node may do a node's work and no more", async () => {
  const as = rig.certificate("system:node:n1", "system:nodes");
  assert.equal((await ask(rig, "GET", "/api/v1/pods", { as })).code, 403);
  assert.equal((await ask(rig, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", { as })).code, 200);
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
