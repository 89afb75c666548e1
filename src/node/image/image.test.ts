import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "#fault/fault";
import type { Secret } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import type { FoundImage, ImageRequest, Runtime } from "../runtime/runtime.ts";
import { duration, ensureImage } from "./ensure-image.ts";
import { repositoryOf } from "./image-name.ts";
import { authsFor } from "./pull-secrets.ts";

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
  for (const bad of ["", "Busybox", "a b", "a:b:c", "a@", "a//b", "-x/y"])
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
    assert.deepEqual(found, { serverAddress: "r.io", username: "me", password: "se:cret" });
  });
  test("rubbish is left out", () => {
    const rubbish = { metadata: { name: "s" }, type: "kubernetes.io/dockerconfigjson" };
    for (const data of ["e30=", "bm9uc2Vuc2U=", "W10=", ""])
      assert.deepEqual(authsFor("r.io/app", [{ ...rubbish, data: { ".dockerconfigjson": data } }]), []);
  });
});

describe("what is told of an image", () => {
  async function said(
    answer: (request: ImageRequest) => Promise<FoundImage>,
    image = "r.io/app:1",
  ): Promise<readonly string[]> {
    const events: string[] = [];
    const runtime = { ensureImage: answer } as Partial<Runtime> as Runtime;
    const pod = { metadata: { name: "p" }, spec: { containers: [], imagePullSecrets: [{ name: "none" }] } };
    await ensureImage({ image }, pod, (type, reason, text) => events.push(`${type} ${reason} ${text}`), {
      runtime,
      secret: () => undefined,
      clock: { ...systemClock, now: () => 0 },
    }).catch(() => undefined);
    return events.slice(1);
  }
  const fail = (code: string) => async (): Promise<FoundImage> => {
    throw new Fault(code, "no");
  };
  test("it is there", async () =>
    assert.deepEqual(await said(async () => ({ imageRef: "x", wasPresent: true })), [
      'Normal Pulled Container image "r.io/app:1" already present on machine and can be accessed by the pod',
    ]));
  test("it was pulled", async () =>
    assert.deepEqual(
      await said(async ({ onPull }) => {
        onPull?.();
        return { imageRef: "x", wasPresent: false, sizeBytes: 7 };
      }),
      [
        'Normal Pulling Pulling image "r.io/app:1"',
        'Normal Pulled Successfully pulled image "r.io/app:1" in 0ms (0ms including waiting). Image size: 7 bytes.',
      ],
    ));
  test("it is nowhere", async () =>
    assert.deepEqual(await said(fail("ErrImagePull")), [
      'Warning Failed Failed to pull image "r.io/app:1": no',
      "Warning Failed Error: ErrImagePull",
    ]));
  test("it may not be pulled", async () =>
    assert.deepEqual(await said(fail("ErrImageNeverPull")), [
      "Warning ErrImageNeverPull no",
      "Warning Failed Error: ErrImageNeverPull",
    ]));
  test("a secret that is not there", async () => {
    const events: string[] = [];
    const runtime = { ensureImage: fail("ErrImagePull") } as Partial<Runtime> as Runtime;
    const pod = { metadata: { name: "p" }, spec: { containers: [], imagePullSecrets: [{ name: "none" }] } };
    await ensureImage({ image: "a" }, pod, (_type, reason) => events.push(reason), {
      ...{ runtime, clock: systemClock },
      secret: () => undefined,
    }).catch(() => undefined);
    assert.equal(events[0], "FailedToRetrieveImagePullSecret");
  });
});

test("durations are Go's", () =>
  assert.deepEqual([duration(7), duration(1204), duration(62_500)], ["7ms", "1.204s", "1m2.5s"]));
