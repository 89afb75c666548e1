import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Fault } from "#fault/fault";
import { createAuthority, issuePair } from "./certificate.ts";
import { authorization, caHashOf, checkCa, formatToken, parseToken } from "./token.ts";

const hash = "a".repeat(64);

test("every form of token is read", () => {
  assert.deepEqual(parseToken(`K10${hash}::server:secret\n`), {
    kind: "password",
    caHash: hash,
    user: "server",
    password: "secret",
  });
  assert.deepEqual(parseToken(`K10${hash}::node:se:cret`), {
    kind: "password",
    caHash: hash,
    user: "node",
    password: "se:cret",
  });
  assert.deepEqual(parseToken("secret"), {
    kind: "password",
    caHash: undefined,
    user: undefined,
    password: "secret",
  });
  assert.deepEqual(parseToken("abcdef.0123456789abcdef"), {
    kind: "bootstrap",
    caHash: undefined,
    id: "abcdef",
    secret: "0123456789abcdef",
  });
  assert.deepEqual(parseToken(`K10${hash}::abcdef.0123456789abcdef`), {
    kind: "bootstrap",
    caHash: hash,
    id: "abcdef",
    secret: "0123456789abcdef",
  });
});

for (const [text, says] of [
  ["", /empty/],
  ["K10abc::server:x", /3 digits instead of 64/],
  ["K10", /after K10/],
  [`K10${hash}::nocolon`, /user:password/],
] as const) {
  test(`${JSON.stringify(text)} is refused without being shown`, () => {
    assert.throws(
      () => parseToken(text),
      (error: Error) => says.test(error.message) && !(text.length > 10 && error.message.includes(text)),
    );
  });
}

test("agents are always `node`, whoever the token was written for", () => {
  assert.equal(
    authorization(parseToken(`K10${hash}::server:x`), "node"),
    `Basic ${Buffer.from("node:x").toString("base64")}`,
  );
  assert.equal(
    authorization(parseToken("abcdef.0123456789abcdef"), "node"),
    "Bearer abcdef.0123456789abcdef",
  );
});

test("the hash of one certificate is of the bytes served, of a bundle it is of the root", async () => {
  const ca = await createAuthority("root", Date.now());
  const sha = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  assert.equal(caHashOf(ca.certPem), sha(ca.certPem));
  const leaf = await issuePair(ca, { commonName: "leaf", usage: "server" }, Date.now());
  const { raw } = new (await import("node:crypto")).X509Certificate(ca.certPem);
  assert.equal(caHashOf(leaf.certPem), sha(raw));
});

test("another cluster's CA is not trusted, and the message says where to get the right token", async () => {
  const [ours, theirs] = [await createAuthority("a", Date.now()), await createAuthority("b", Date.now())];
  const token = parseToken(formatToken(ours.certPem, "server", "x"));
  assert.doesNotThrow(() => checkCa(token, ours.certPem));
  assert.throws(
    () => checkCa(token, theirs.certPem),
    (error) => error instanceof Fault && error.code === "WrongCa" && /node-token/.test(error.message),
  );
});
