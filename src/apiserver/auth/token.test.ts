import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { KubeObject } from "#kube/object";
import { openWorld } from "../testing/world.ts";
import { bootstrapUser } from "./bootstrap-token.ts";
import { SigningKeys } from "./signing-keys.ts";
import { TokenIssuer } from "./token.ts";

const ISSUER = "https://kubernetes.default.svc";
const NOW = Date.parse("2024-06-01T12:00:00Z");
const seconds = (ms: number) => Math.floor(ms / 1000);
const pemOf = (key: ReturnType<typeof generateKeyPairSync>["privateKey"]) =>
  key.export({ type: "pkcs8", format: "pem" }).toString();
const newKey = () => pemOf(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey);
const publicOf = (pem: string) => createPublicKey(pem).export({ type: "spki", format: "pem" }).toString();

const OLD = newKey();
const CURRENT = newKey();
const account = { kind: "ServiceAccount", metadata: { name: "robot", namespace: "a", uid: "u1" } };
const pod = { kind: "Pod", metadata: { name: "p", namespace: "a", uid: "u2" }, spec: { containers: [] } };

function open(now = NOW, objects: readonly KubeObject[] = [account, pod]) {
  const { world } = openWorld(objects);
  const clock = { now: () => now, sleep: async () => {} };
  return new TokenIssuer({ world, clock, issuer: ISSUER, privateKey: CURRENT, publicKey: publicOf(OLD) });
}

const claims = (change: object = {}) => ({
  iss: ISSUER,
  sub: "system:serviceaccount:a:robot",
  aud: [ISSUER],
  exp: seconds(NOW) + 600,
  iat: seconds(NOW),
  nbf: seconds(NOW),
  "kubernetes.io": { namespace: "a", serviceaccount: { name: "robot", uid: "u1" } },
  ...change,
});
const sign = (content: object, key = CURRENT) =>
  new SigningKeys({ privateKey: key, publicKey: "" }).sign(content);
const inside = (more: object) => ({
  "kubernetes.io": { namespace: "a", serviceaccount: { name: "robot", uid: "u1" }, ...more },
});
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const unsigned = (alg: string) => `${encode({ alg })}.${encode(claims())}.`;
const hmac = () => {
  const body = `${encode({ alg: "HS256" })}.${encode(claims())}`;
  return `${body}.${createHmac("sha256", publicOf(CURRENT)).update(body).digest("base64url")}`;
};

const tokens: readonly (readonly [string, string, boolean])[] = [
  ["a good one", sign(claims()), true],
  ["one of the key before", sign(claims(), OLD), true],
  ["one of a stranger's key", sign(claims(), newKey()), false],
  ["one of another issuer", sign(claims({ iss: "https://other" })), false],
  ["one for another audience", sign(claims({ aud: ["vault"] })), false],
  ["one for nobody", sign(claims({ aud: [] })), false],
  ["one for two audiences", sign(claims({ aud: ["vault", ISSUER] })), true],
  ["one that has expired", sign(claims({ exp: seconds(NOW) })), false],
  ["one without an end", sign(claims({ exp: undefined })), false],
  ["one of the future", sign(claims({ nbf: seconds(NOW) + 120 })), false],
  ["one of a clock a little ahead", sign(claims({ nbf: seconds(NOW) + 30 })), true],
  [
    "one of an account that has come anew",
    sign(claims({ "kubernetes.io": { namespace: "a", serviceaccount: { name: "robot", uid: "u0" } } })),
    false,
  ],
  [
    "one whose subject is somebody else",
    sign(claims({ sub: "system:serviceaccount:kube-system:admin" })),
    false,
  ],
  ["one bound to a pod that is there", sign(claims(inside({ pod: { name: "p", uid: "u2" } }))), true],
  ["one bound to a pod that was there", sign(claims(inside({ pod: { name: "p", uid: "u9" } }))), false],
  [
    "one whose pod's node is gone",
    sign(claims(inside({ pod: { name: "p", uid: "u2" }, node: { name: "n", uid: "x" } }))),
    true,
  ],
  ["one bound to a node that is gone", sign(claims(inside({ node: { name: "n", uid: "x" } }))), false],
  ["one without a signature", unsigned("none"), false],
  ["one without a signature that says so oddly", unsigned("NONE"), false],
  ["one that takes the public key for a secret", hmac(), false],
  ["one with claims of no shape", sign([]), false],
  ["one with a bound object of no shape", sign(claims(inside({ pod: "p" }))), true],
  ["nothing", "", false],
  ["three dots", "..", false],
  ["a long line", "x.".repeat(100_000), false],
];
for (const [name, token, isGood] of tokens)
  test(`tokens: ${name} is ${isGood ? "good" : "refused"}`, () => {
    assert.equal(open().verify(token) !== undefined, isGood);
    // again, when its signature is remembered
    const issuer = open();
    issuer.verify(token);
    assert.equal(issuer.verify(token) !== undefined, isGood);
  });

test("a token says where it was issued for, and a stale one is noticed", () => {
  const issue = (warnAfterMs?: number) =>
    open().issue({
      namespace: "a",
      name: "robot",
      uid: "u1",
      audiences: [ISSUER],
      expiresAtMs: NOW + 3_600_000,
      warnAfterMs,
      bound: { kind: "Pod", name: "p", uid: "u2" },
      node: { name: "n1", uid: "u3" },
    });
  const { token, id } = issue(NOW + 1000);
  const verified = open(NOW + 61_000).verify(token);
  assert.deepEqual(verified?.user, {
    name: "system:serviceaccount:a:robot",
    uid: "u1",
    groups: ["system:serviceaccounts", "system:serviceaccounts:a"],
    extra: {
      "authentication.kubernetes.io/credential-id": [`JTI=${id}`],
      "authentication.kubernetes.io/node-name": ["n1"],
      "authentication.kubernetes.io/node-uid": ["u3"],
      "authentication.kubernetes.io/pod-name": ["p"],
      "authentication.kubernetes.io/pod-uid": ["u2"],
    },
  });
  assert.deepEqual(verified?.annotations, {
    "authentication.k8s.io/stale-token":
      "subject: system:serviceaccount:a:robot, seconds after warning threshold: 60",
  });
});

test("what is going keeps its tokens for a minute", () => {
  const going = (metadata: object) => [
    { ...account },
    { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2024-06-01T12:00:00Z", ...metadata } },
  ];
  const token = sign(claims(inside({ pod: { name: "p", uid: "u2" } })));
  assert.ok(open(NOW + 59_000, going({})).verify(token));
  assert.equal(open(NOW + 61_000, going({})).verify(token), undefined);
});

test("the key set has every key, and no private half", () => {
  const text = JSON.stringify(open().keys.keySet());
  assert.equal(text.match(/"kid"/g)?.length, 2);
  assert.doesNotMatch(text, /"d":/);
  const rsa = pemOf(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
  const keys = new SigningKeys({ privateKey: rsa, publicKey: publicOf(CURRENT) });
  assert.deepEqual(keys.algorithms, ["RS256", "ES256"]);
  assert.deepEqual(keys.open(keys.sign({ a: 1 })), { a: 1 });
  assert.deepEqual(keys.open(sign({ a: 2 })), { a: 2 });
});

test("no text at all breaks the check", () => {
  const issuer = open();
  const { world } = openWorld();
  const good = sign(claims());
  let seed = 11;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return seed % below;
  };
  const letters = 'abcXYZ019-_.=+/ \u0000é{}"';
  for (let i = 0; i < 3000; i++) {
    const parts = [...good.slice(0, i % 4 === 0 ? random(good.length) : good.length)];
    for (let n = 1 + random(5); n > 0; n--)
      parts[random(parts.length + 1)] = letters[random(letters.length)] ?? "";
    const token = parts.join("");
    const verified = issuer.verify(token);
    assert.ok(verified === undefined || token === good, `round ${i}: ${token}`);
    assert.equal(
      bootstrapUser(token, { world, clock: { now: () => NOW, sleep: async () => {} } }),
      undefined,
    );
  }
});
