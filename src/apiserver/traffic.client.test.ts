import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, create, createNamespace, watchPath } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

const MAPS = "/api/v1/namespaces/traffic/configmaps";
/** From the future: answered after three seconds, unless something ends it earlier. */
const SLOW = `${MAPS}?resourceVersion=999999999`;
let rig: Rig;

before(async () => {
  rig = await openRig({ inFlight: { readOnly: 2, mutating: 2 } });
  await createNamespace(rig, "traffic");
});
after(() => rig[Symbol.asyncDispose]());

test("a request is answered within the timeout it names, or with 504", async () => {
  const late = await ask(rig, "GET", `${SLOW}&timeout=150ms`);
  assert.deepEqual(
    [late.code, late.body.reason, late.body.message],
    [504, "Timeout", "Timeout: request did not complete within the allotted timeout"],
  );
  assert.equal((await ask(rig, "GET", `${MAPS}?timeout=1m30s`)).code, 200);
  const bad = await ask(rig, "GET", `${MAPS}?timeout=soon`);
  assert.equal(bad.code, 400);
  assert.equal(
    bad.body.message,
    'invalid timeout specified in the request URL - time: invalid duration "soon"',
  );
});

async function inFlight(): Promise<number> {
  const { text } = await ask(rig, "GET", "/metrics");
  return Number(/apiserver_current_inflight_requests\{request_kind="readOnly"\} (\d+)/.exec(text)?.[1]);
}

test("beyond the limit others are told to come again, but masters and watches are let in", async () => {
  const subjects = [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "readers" }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
  const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
  const bound = await ask(rig, "POST", bindings, {
    body: { metadata: { name: "readers" }, subjects, roleRef },
  });
  assert.equal(bound.code, 201, bound.text);
  const as = rig.certificate("reader", "readers");
  const slow = [];
  for (const count of [0, 1, 2]) {
    if (count > 0) slow.push(ask(rig, "GET", SLOW, { as }));
    const until = performance.now() + 5000;
    // The asking itself is one of them.
    while ((await inFlight()) !== 1 + count) assert.ok(performance.now() < until);
  }
  const refused = await ask(rig, "GET", MAPS, { as });
  assert.deepEqual(
    [refused.code, refused.headers["retry-after"], refused.text],
    [429, "1", "Too many requests, please try again later.\n"],
  );
  assert.equal((await ask(rig, "GET", MAPS)).code, 200);
  using watching = await watchPath(rig, `${MAPS}?watch=1`, { as });
  assert.equal(watching.response.statusCode, 200);
  assert.deepEqual(
    (await Promise.all(slow)).map(({ code }) => code),
    [504, 504],
  );
  assert.equal((await ask(rig, "GET", MAPS, { as })).code, 200);
});

test("a body of more than 3 MiB is refused; long selectors are read", async () => {
  const large = await ask(rig, "POST", MAPS, {
    body: { metadata: { name: "large" }, data: { a: "x".repeat(3 * 1024 * 1024) } },
  });
  assert.equal(large.code, 413);
  assert.equal(large.body.message, "Request entity too large: limit is 3145728");
  const names = Array.from({ length: 5000 }, (_, i) => `value-${i}`).join(",");
  const selected = await ask(rig, "GET", `${MAPS}?labelSelector=${encodeURIComponent(`a in (${names})`)}`);
  assert.equal(selected.code, 200);
});

test("requests, watches, objects and the process are told at /metrics, to those who may ask", async () => {
  assert.equal((await ask(rig, "GET", "/metrics", { as: "nobody" })).code, 401);
  assert.equal((await ask(rig, "GET", "/metrics", { as: rig.certificate("somebody", "none") })).code, 403);
  const { metadata } = await create(rig, MAPS, "counted");
  using watching = await watchPath(rig, `${MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  await create(rig, MAPS, "seen");
  assert.equal((await watching.next()).object.metadata.name, "seen");
  await ask(rig, "GET", "/apis/example.com/v1/anything");
  const { code, headers, text } = await ask(rig, "GET", "/metrics");
  assert.equal(code, 200);
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  const labels = 'component="apiserver",group="",resource="configmaps",scope="resource",subresource=""';
  for (const line of [
    `apiserver_request_total{${labels},verb="POST",version="v1",dry_run="",code="201"} \\d+`,
    `apiserver_request_duration_seconds_bucket{${labels},verb="POST",version="v1",dry_run="",le="60"} \\d+`,
    'apiserver_longrunning_requests{component="apiserver",group="",resource="configmaps",scope="namespace",subresource="",verb="WATCH",version="v1"} 1',
    'apiserver_watch_events_total{group="",version="v1",resource="configmaps"} [1-9]',
    'apiserver_storage_objects{resource="clusterroles.rbac.authorization.k8s.io"} [1-9]',
    'apiserver_resource_objects{group="",resource="configmaps"} [1-9]',
    'etcd_request_duration_seconds_count{operation="create",type="configmaps"} [1-9]',
    "process_resident_memory_bytes [1-9]",
  ])
    assert.match(text, new RegExp(`^${line.replace(/[{}]/g, "\\$&")}`, "m"));
  assert.doesNotMatch(text, /example\.com/, "what nobody serves makes no series");
});

test("health is anybody's to ask; each check has its path and can be left out", async () => {
  for (const [path, code, text] of [
    ["/livez", 200, /^ok$/],
    ["/readyz/etcd", 200, /^ok$/],
    ["/readyz/poststarthook/rbac/bootstrap-roles", 200, /^ok$/],
    ["/livez/shutdown", 404, /^404 page not found/],
    ["/readyz?verbose", 200, /^\[\+\]ping ok\n(?:\[\+\].* ok\n)+readyz check passed\n$/],
    ["/livez?verbose", 200, /^(?!.*shutdown)/s],
    [
      "/healthz?verbose&exclude=etcd&exclude=x",
      200,
      /\[\+\]etcd excluded: ok\n.*cannot be excluded: no matches for "x"\nhealthz check passed/s,
    ],
  ] as const) {
    const answer = await ask(rig, "GET", path);
    assert.equal(answer.code, code, path);
    assert.match(answer.text, text, path);
  }
  assert.equal((await ask(rig, "GET", "/readyz", { as: "nobody" })).code, 200);
  assert.equal((await ask(rig, "GET", "/readyz/etcd", { as: "nobody" })).code, 401);
});
