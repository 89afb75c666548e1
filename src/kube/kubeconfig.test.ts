import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatKubeconfig, readKubeconfig } from "./kubeconfig.ts";

test("what is written is what is read", () => {
  const given = { server: "https://127.0.0.1:6443", ca: "CA", cert: "CERT", key: "KEY", token: "t" };
  const read = readKubeconfig(formatKubeconfig(given));
  assert.deepEqual(read, { ...given, tokenFile: undefined });
});

test("files are read beside the kubeconfig", () => {
  const directory = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  writeFileSync(join(directory, "ca.pem"), "CA");
  const text = `
current-context: b
contexts: [{name: a, context: {cluster: none, user: u}}, {name: b, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://x:1", certificate-authority: ca.pem}}]
users: [{name: u, user: {tokenFile: token}}]`;
  const read = readKubeconfig(text, { directory });
  rmSync(directory, { recursive: true });
  assert.equal(read.ca, "CA");
  assert.equal(read.tokenFile, join(directory, "token"));
});

const bad = [
  ["", /not a YAML mapping/],
  ["a: [", /Cannot use the kubeconfig/],
  ["current-context: x", /no context "x"/],
  ["{current-context: x, contexts: [{name: x, context: {cluster: c}}]}", /cluster "c" has no server/],
] as const;
for (const [text, message] of bad)
  test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => readKubeconfig(text), { message }));
