import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Secret } from "#kube/generated/types";
import type { RegistryAuth } from "../runtime/runtime.ts";
import { goDuration } from "./go-duration.ts";
import { parseImageName } from "./image-name.ts";
import { credentialsFor } from "./pull-secrets.ts";

const repositoryOf = (name: string) => parseImageName(name).repository;
const authsFor = (repository: string, secrets: readonly Secret[]): readonly RegistryAuth[] =>
  credentialsFor(repository, secrets).map(({ auth }) => auth);

describe("the repository that a name means", () => {
  const cases: readonly [name: string, repository: string][] = [
    ["busybox", "docker.io/library/busybox"],
    ["busybox:1.36", "docker.io/library/busybox"],
    ["team/app", "docker.io/team/app"],
    ["registry.example.com:5000/team/app:v1", "registry.example.com:5000/team/app"],
    ["localhost/app", "localhost/app"],
    [`app@sha256:${"a".repeat(64)}`, "docker.io/library/app"],
    ["index.docker.io/library/app", "docker.io/library/app"],
  ];
  for (const [name, repository] of cases) test(name, () => assert.equal(repositoryOf(name), repository));
  const tagged: readonly [name: string, tagged: string][] = [
    ["busybox", "busybox:latest"],
    ["busybox:1.36", "busybox:1.36"],
    ["localhost:5000/a/b", "localhost:5000/a/b:latest"],
    [`a:1@sha256:${"0".repeat(64)}`, `a:1@sha256:${"0".repeat(64)}`],
    [`a/b@sha256:${"0".repeat(64)}`, `a/b@sha256:${"0".repeat(64)}`],
    ["Registry.Example/a_b/c--d:1", "Registry.Example/a_b/c--d:1"],
    ["[2001:db8::1]:5000/a", "[2001:db8::1]:5000/a:latest"],
  ];
  for (const [name, want] of tagged)
    test(`${name} is pulled as ${want}`, () => assert.equal(parseImageName(name).tagged, want));
  for (const bad of ["", "Busybox", "a@sha256:12", "https://a/b", "a b", "a:b:c", "a@", "a//b", "-x/y"])
    test(`${JSON.stringify(bad)} is none`, () =>
      assert.throws(() => repositoryOf(bad), { code: "InvalidImageName" }));
  for (const [bad, name] of [
    ["UPPER:1:2", "library/UPPER"],
    ["r.io/a/B", "a/B"],
  ])
    test(`${bad} is told to be lowercase`, () =>
      assert.throws(() => repositoryOf(bad ?? ""), {
        message: `Failed to apply default image tag "${bad}": couldn't parse image name "${bad}": invalid reference format: repository name (${name}) must be lowercase`,
      }));
});

function secret(auths: Record<string, object>): Secret {
  const text = Buffer.from(JSON.stringify({ auths })).toString("base64");
  return {
    metadata: { name: "s" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": text },
  };
}

describe("the credentials that a registry may take", () => {
  const user = (username: string) => ({ username, password: "p" });
  const names = (image: string, ...secrets: readonly Secret[]) =>
    authsFor(repositoryOf(image), secrets).map(({ username }) => username);
  const cases: readonly [name: string, image: string, auths: Record<string, object>, want: string[]][] = [
    ["its host", "r.example.com/app", { "r.example.com": user("a") }, ["a"]],
    ["another host", "r.example.com/app", { "x.example.com": user("a") }, []],
    ["an address", "r.example.com/app", { "https://r.example.com/v2/": user("a") }, ["a"]],
    [
      "its port",
      "r.example.com:5000/app",
      { "r.example.com": user("a"), "r.example.com:5000": user("b") },
      ["b"],
    ],
    [
      "the nearest path first",
      "r.example.com/team/app",
      { "r.example.com": user("a"), "r.example.com/team": user("b"), "r.example.com/other": user("c") },
      ["b", "a"],
    ],
    ["any host of a domain", "r.example.com/app", { "*.example.com": user("a") }, ["a"]],
    ["not hosts of hosts", "r.s.example.com/app", { "*.example.com": user("a") }, []],
    ["the hub by its old address", "busybox", { "https://index.docker.io/v1/": user("a") }, ["a"]],
  ];
  for (const [name, image, auths, want] of cases)
    test(name, () => assert.deepEqual(names(image, secret(auths)), want));
  test("what logging in writes goes before the names beside it", () => {
    const auth = Buffer.from("me:se:cret").toString("base64");
    const [found] = authsFor("r.io/app", [secret({ "r.io": { auth, username: "other" } })]);
    assert.deepEqual(found, { username: "me", password: "se:cret" });
  });
  test("rubbish is left out", () => {
    const rubbish = { metadata: { name: "s" }, type: "kubernetes.io/dockerconfigjson" };
    for (const data of ["e30=", "bm9uc2Vuc2U=", "W10=", ""])
      assert.deepEqual(authsFor("r.io/app", [{ ...rubbish, data: { ".dockerconfigjson": data } }]), []);
  });
});

test("durations are Go's", () =>
  assert.deepEqual([0, 7, 1204, 62_500, 60_000, 3_600_000].map(goDuration), [
    "0s",
    "7ms",
    "1.204s",
    "1m2.5s",
    "1m0s",
    "1h0m0s",
  ]));
