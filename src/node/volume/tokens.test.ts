import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import type { KubeObject } from "#kube/object";
import type { Clock } from "#life/clock";
import { Tokens } from "./tokens.ts";

const pod = {
  metadata: { name: "web", namespace: "shop", uid: "u1" },
  spec: { serviceAccountName: "robot", containers: [] },
};
const wanted = { path: "token", expirationSeconds: 1000 };

function world() {
  let now = 0;
  let isAway = false;
  const asked: unknown[] = [];
  const clock: Clock = { now: () => now, sleep: async () => {} };
  const create = async (_resource: unknown, object: KubeObject) => {
    if (isAway) throw new ApiFault("Unreachable", "Cannot create: away");
    asked.push(object);
    const expirationTimestamp = new Date(now + 1_000_000).toISOString();
    return { ...object, status: { token: `t${asked.length}`, expirationTimestamp } };
  };
  const client = { ...openFakeClient(), create } as unknown as KubeClient;
  return {
    tokens: new Tokens(client, clock),
    asked,
    at: (ms: number) => {
      now = ms;
    },
    goAway: () => {
      isAway = true;
    },
  };
}

test("a token is bound to its pod and kept for four fifths of its life", async () => {
  const { tokens, asked, at } = world();
  assert.equal((await tokens.get(pod, wanted)).token, "t1");
  at(780_000);
  assert.equal((await tokens.get(pod, wanted)).token, "t1");
  at(801_000);
  assert.equal((await tokens.get(pod, wanted)).token, "t2");
  assert.deepEqual(asked[0], {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { name: "robot", namespace: "shop" },
    spec: {
      audiences: [],
      expirationSeconds: 1000,
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "web", uid: "u1" },
    },
  });
});

test("while the API is away an old token stays until it expires", async () => {
  const { tokens, at, goAway } = world();
  await tokens.get(pod, wanted);
  goAway();
  at(900_000);
  assert.equal((await tokens.get(pod, wanted)).token, "t1");
  at(1_000_001);
  await assert.rejects(tokens.get(pod, wanted), { code: "FailedMount", message: /^failed to fetch token: / });
});

test("another pod, audience or life has another token", async () => {
  const { tokens } = world();
  const first = await tokens.get(pod, wanted);
  const other = await tokens.get(pod, { ...wanted, audience: "vault" });
  assert.notEqual(first.token, other.token);
  tokens.forget("u1");
  assert.equal((await tokens.get(pod, wanted)).token, "t3");
});
