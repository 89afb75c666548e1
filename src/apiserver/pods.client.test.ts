import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { ask, createNamespace, type Line, MERGE } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
  await createNamespace(rig, "pods");
});
after(() => rig[Symbol.asyncDispose]());

const PODS = "/api/v1/namespaces/pods/pods";

async function createPod(name: string): Promise<Line> {
  const { code, body, text } = await ask(rig, "POST", PODS, {
    body: { metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } },
  });
  assert.equal(code, 201, text);
  return body;
}

test("a pod is bound once, keeps its halves apart, and is deleted in two steps", async () => {
  await createPod("p");
  const binding = { body: { metadata: { name: "p" }, target: { kind: "Node", name: "n9" } } };
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
  const path = "/apis/apps/v1/namespaces/pods/deployments";
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
  await ask(rig, "POST", `${PODS}/logger/binding`, {
    body: { metadata: { name: "logger" }, target: { kind: "Node", name: "n1" } },
  });
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
  assert.equal((await ask(rig, "POST", `${PODS}/logger/exec?command=ls`)).code, 400);
});
