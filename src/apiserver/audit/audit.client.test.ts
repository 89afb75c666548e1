import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, MERGE, watchPath } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { parseAuditPolicy } from "./parse-policy.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
type Event = any;

const written: Event[] = [];
const policy = parseAuditPolicy(`apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, nonResourceURLs: ["/livez*"]}
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: RequestResponse, resources: [{resources: [configmaps]}]}
- {level: Request, resources: [{resources: [pods, "serviceaccounts/token"]}]}
- {level: Metadata}
`);
const sink = {
  write: (line: string) => void written.push(JSON.parse(line)),
  [Symbol.asyncDispose]: async () => {},
};
let rig: Rig;
before(async () => {
  rig = await openRig({ audit: { policy, sink }, anonymous: "anybody" });
});
after(() => rig[Symbol.asyncDispose]());

/** The first event written of a request, once it is. */
async function eventOf(id: string | undefined, stage = "ResponseComplete"): Promise<Event> {
  for (const deadline = Date.now() + 5000; Date.now() < deadline; ) {
    const found = written.find((event) => event.auditID === id && event.stage === stage);
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`no ${stage} event of ${id}`);
}
const idOf = ({ headers }: { headers: NodeJS.Dict<string | string[]> }) => String(headers["audit-id"]);

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

test("an event says who asked for what, and what came of it", async () => {
  const made = await ask(rig, "POST", CONFIG_MAPS, {
    body: { metadata: { name: "a" }, data: { k: "v" } },
    headers: { "x-forwarded-for": "192.0.2.7" },
  });
  const { requestReceivedTimestamp, stageTimestamp, responseObject, user, ...event } = await eventOf(
    idOf(made),
  );
  assert.match(requestReceivedTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(stageTimestamp >= requestReceivedTimestamp);
  assert.equal(user.username, "admin");
  assert.equal(responseObject.metadata.uid, made.body.metadata.uid);
  assert.equal(responseObject.metadata.managedFields, undefined);
  assert.deepEqual(event, {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: idOf(made),
    stage: "ResponseComplete",
    requestURI: CONFIG_MAPS,
    verb: "create",
    sourceIPs: ["192.0.2.7", "127.0.0.1"],
    userAgent: "test/1",
    objectRef: { resource: "configmaps", namespace: "default", name: "a", apiVersion: "v1" },
    responseStatus: { metadata: {}, code: 201 },
    requestObject: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: event.requestObject.metadata,
      data: { k: "v" },
    },
    annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
  });
  const change = { metadata: { labels: { x: "y" } } };
  const patched = await ask(rig, "PATCH", `${CONFIG_MAPS}/a`, { headers: MERGE, body: change });
  assert.deepEqual((await eventOf(idOf(patched))).requestObject, change);
});

test("a secret's content is not written where the policy says metadata", async () => {
  const body = { metadata: { name: "s" }, stringData: { password: "hunter2" } };
  const event = await eventOf(idOf(await ask(rig, "POST", "/api/v1/namespaces/default/secrets", { body })));
  assert.equal(event.level, "Metadata");
  assert.doesNotMatch(
    JSON.stringify(written.filter(({ objectRef }) => objectRef?.resource === "secrets")),
    /hunter2|aHVudGVyMg/,
  );
});

test("a refusal says why, and who was acted as", async () => {
  const refused = await ask(rig, "GET", "/api/v1/namespaces/default/secrets/s", {
    headers: { "impersonate-user": "vera", "impersonate-group": "dev" },
  });
  const event = await eventOf(idOf(refused));
  assert.equal(event.user.username, "admin");
  assert.deepEqual(event.impersonatedUser, { username: "vera", groups: ["dev", "system:authenticated"] });
  assert.equal(event.responseStatus.code, 403);
  assert.equal(event.responseStatus.reason, "Forbidden");
  assert.match(event.responseStatus.message, /User "vera" cannot get resource "secrets"/);
  assert.equal(event.annotations["authorization.k8s.io/decision"], "forbid");
  const stranger = await ask(rig, "GET", CONFIG_MAPS, { as: { token: "a.b.c" } });
  const { responseStatus, user } = await eventOf(idOf(stranger), "ResponseStarted");
  assert.deepEqual(user, {});
  assert.deepEqual([responseStatus.code, responseStatus.message], [401, "Unauthorized"]);
});

test("a watch is written when it begins and when it ends; what is not wanted is not written", async () => {
  const watching = await watchPath(rig, `${CONFIG_MAPS}?watch=1`);
  const id = idOf(watching.response);
  assert.equal((await eventOf(id, "ResponseStarted")).verb, "watch");
  watching[Symbol.dispose]();
  assert.equal((await eventOf(id)).responseStatus.code, 200);
  const health = await ask(rig, "GET", "/livez");
  const other = await ask(rig, "GET", "/version");
  await eventOf(idOf(other));
  assert.equal(written.filter(({ auditID }) => auditID === idOf(health)).length, 0);
  assert.equal(written.filter(({ stage }) => stage === "RequestReceived").length, 0);
});

test("anybody may ask where anonymous access is on, and roles say for what", async () => {
  assert.equal((await ask(rig, "GET", "/version", { as: "nobody" })).code, 200);
  const denied = await ask(rig, "GET", "/apis", { as: "nobody" });
  assert.equal(denied.code, 403);
  assert.equal(denied.body.message, 'forbidden: User "system:anonymous" cannot get path "/apis"');
  assert.match(
    (await ask(rig, "GET", "/api/v1/nodes", { as: "nobody" })).body.message,
    /User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope$/,
  );
});
