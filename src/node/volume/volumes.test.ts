import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { ConfigMap, Pod, Secret } from "#kube/generated/types";
import { volumeBinds } from "../pod/binds.ts";
import { type Payload, writeAtomically } from "./atomic-dir.ts";
import { prepareHostPath } from "./host-path.ts";
import { configMapFiles, downwardFiles, secretFiles } from "./payload.ts";
import { referencesOf } from "./references.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-volume-"));
after(() => rmSync(dir, { recursive: true }));

const payload = (files: Readonly<Record<string, string>>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { content: Buffer.from(text), mode }]));

describe("a volume's content", () => {
  const at = join(dir, "config");
  const read = (name: string) => readFileSync(join(at, name), "utf8");

  test("stands behind links, with its modes", () => {
    assert.equal(writeAtomically(at, payload({ a: "1", "sub/b": "2" }, 0o400)), true);
    assert.deepEqual([read("a"), read("sub/b")], ["1", "2"]);
    assert.equal(readlinkSync(join(at, "a")), "..data/a");
    assert.equal(statSync(join(at, "sub/b")).mode & 0o777, 0o400);
  });
  test("is left alone when it is the same", () => {
    const before = readlinkSync(join(at, "..data"));
    assert.equal(writeAtomically(at, payload({ a: "1", "sub/b": "2" })), false);
    assert.equal(readlinkSync(join(at, "..data")), before);
  });
  test("changes as a whole, and what is gone is gone", () => {
    assert.equal(writeAtomically(at, payload({ a: "3", c: "4" })), true);
    const visible = readdirSync(at).filter((name) => !name.startsWith(".."));
    assert.deepEqual([read("a"), read("c"), visible.sort()], ["3", "4", ["a", "c"]]);
    assert.equal(readdirSync(at).filter((name) => name.startsWith("..2")).length, 1);
  });
  test("a reader that has opened the folder keeps what it saw", () => {
    const seen = readlinkSync(join(at, "..data"));
    const open = readFileSync(join(at, seen, "a"), "utf8");
    writeAtomically(at, payload({}));
    assert.deepEqual([open, readdirSync(at).filter((name) => !name.startsWith(".."))], ["3", []]);
  });
  test("a group may read it when asked", () => {
    writeAtomically(join(dir, "grouped"), payload({ a: "1" }, 0o600), { gid: 1234 });
    const stats = statSync(join(dir, "grouped", "a"));
    assert.deepEqual([stats.mode & 0o777, stats.gid], [0o640, 1234]);
    const folder = (...path: string[]) => statSync(join(dir, ...path)).mode & 0o7777;
    const data = readlinkSync(join(dir, "grouped", "..data"));
    assert.deepEqual([folder("grouped"), folder("grouped", data), folder("config")], [0o2777, 0o2755, 0o777]);
  });
});

describe("what a source gives", () => {
  const config: ConfigMap = {
    metadata: { name: "c" },
    data: { color: "green" },
    binaryData: { bits: Buffer.from([0, 255]).toString("base64") },
  };
  const secret: Secret = { metadata: { name: "s" }, data: { word: Buffer.from("hush").toString("base64") } };
  const mode = 0o644;
  const texts = (files: Payload) =>
    Object.fromEntries([...files].map(([path, file]) => [path, file.content.toString("latin1")]));

  test("a configMap, with bytes", () =>
    assert.deepEqual(texts(configMapFiles("c", config, { mode })), { color: "green", bits: "\u0000ÿ" }));
  test("chosen keys under other names", () => {
    const files = configMapFiles("c", config, { mode, items: [{ key: "color", path: "x/y", mode: 0o400 }] });
    assert.deepEqual([texts(files), files.get("x/y")?.mode], [{ "x/y": "green" }, 0o400]);
  });
  test("a secret", () => assert.deepEqual(texts(secretFiles("s", secret, { mode })), { word: "hush" }));
  test("nothing, when that is allowed", () =>
    assert.equal(configMapFiles("c", undefined, { mode, optional: true }).size, 0));
  const wrong: readonly [string, () => unknown, RegExp][] = [
    ["a missing configMap", () => configMapFiles("c", undefined, { mode }), /^configmap "c" not found$/],
    ["a missing secret", () => secretFiles("s", undefined, { mode }), /^secret "s" not found$/],
    [
      "a missing key",
      () => configMapFiles("c", config, { mode, items: [{ key: "k", path: "k" }] }),
      /^configmap references non-existent config key: k$/,
    ],
    [
      "a path that leads out",
      () => configMapFiles("c", config, { mode, items: [{ key: "color", path: "a/../../b" }] }),
      /must stay inside the volume/,
    ],
  ];
  for (const [name, make, message] of wrong)
    test(`${name} is refused`, () => assert.throws(make, { code: "FailedMount", message }));
  test("labels follow the pod", () => {
    const pod: Pod = { metadata: { name: "p", labels: { a: "1" } }, spec: { containers: [] } };
    const facts = { hostIps: [], podIps: [], allocatable: {} };
    const items = [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }];
    assert.deepEqual(texts(downwardFiles(items, { pod, facts, mode })), { labels: 'a="1"' });
  });
});

test("everything a pod refers to is known", () => {
  const pod: Pod = {
    metadata: { name: "p" },
    spec: {
      volumes: [
        { name: "a", configMap: { name: "c1" } },
        { name: "b", secret: { secretName: "s1" } },
        { name: "c", projected: { sources: [{ configMap: { name: "c2" } }, { secret: { name: "s2" } }] } },
      ],
      initContainers: [{ name: "i", envFrom: [{ configMapRef: { name: "c3" } }] }],
      containers: [
        {
          name: "m",
          envFrom: [{ secretRef: { name: "s3" } }],
          env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "c4", key: "k" } } }],
        },
      ],
    },
  };
  const names = referencesOf(pod).map(({ resource, name }) => `${resource.plural}/${name}`);
  assert.deepEqual(names.sort(), [
    "configmaps/c1",
    "configmaps/c2",
    "configmaps/c3",
    "configmaps/c4",
    "secrets/s1",
    "secrets/s2",
    "secrets/s3",
  ]);
});

describe("host paths", () => {
  writeFileSync(join(dir, "file"), "");
  test("are made when their type says so", () => {
    prepareHostPath({ path: join(dir, "made"), type: "DirectoryOrCreate" });
    prepareHostPath({ path: join(dir, "made", "f"), type: "FileOrCreate" });
    assert.ok(statSync(join(dir, "made", "f")).isFile());
  });
  test("are refused when they are something else", () =>
    assert.throws(
      () => prepareHostPath({ path: join(dir, "file"), type: "Directory" }),
      /file is not a directory$/,
    ));
  test("are refused when they are missing", () =>
    assert.throws(
      () => prepareHostPath({ path: join(dir, "none"), type: "Socket" }),
      /none is not a socket$/,
    ));
});

describe("what a container mounts", () => {
  const volume = join(dir, "shared");
  mkdirSync(join(volume, "in"), { recursive: true });
  symlinkSync("/etc", join(volume, "out"));
  chmodSync(volume, 0o777);
  const paths = new Map([["v", volume]]);
  const images = new Map([["i", { ref: "sha256:1", name: "busybox" }]]);
  const binds = (mount: object, canReadOnlyBelow = false, given: readonly string[] = []) =>
    volumeBinds(
      { name: "c", volumeMounts: [{ name: "v", mountPath: "/data/", ...mount }] },
      {
        ...{ paths, images, canReadOnlyBelow, readOnly: new Set(given) },
        ...{ env: { POD: "p-0" }, subPathsDir: join(dir, "parts") },
      },
    );
  test("an image", () =>
    assert.deepEqual(binds({ name: "i", subPath: "etc" }), [
      {
        ...{ hostPath: "", containerPath: "/data", isReadOnly: true, propagation: "private" },
        image: { ref: "sha256:1", name: "busybox", subPath: "etc" },
      },
    ]));
  test("read-only with all below, where the runtime can", () => {
    const below = (recursiveReadOnly: string, can: boolean) =>
      binds({ readOnly: true, recursiveReadOnly }, can)[0]?.isReadOnlyBelow;
    assert.deepEqual(
      [
        below("IfPossible", true),
        below("IfPossible", false),
        below("Enabled", true),
        below("Disabled", true),
      ],
      [true, undefined, true, undefined],
    );
    assert.throws(() => below("Enabled", false), /not supported by the runtime/);
  });
  test("a volume that holds what the API says can only be read", () =>
    assert.deepEqual(
      binds({}, false, ["v"]).map(({ isReadOnly }) => isReadOnly),
      [true],
    ));
  test("a volume", () =>
    assert.deepEqual(binds({ readOnly: true }), [
      { hostPath: volume, containerPath: "/data", isReadOnly: true, propagation: "private" },
    ]));
  const refused: readonly [string, object, RegExp][] = [
    ["a link that leads out", { subPath: "out" }, /leads out of the volume/],
    ["a path upwards", { subPath: "../x" }, /must be relative/],
    ["an absolute path", { subPath: "/x" }, /must be relative/],
    ["an unset variable", { subPathExpr: "$(NONE)" }, /missing value for NONE/],
    ["another pod's volume", { name: "w" }, /is not one of the pod's/],
  ];
  for (const [name, mount, message] of refused)
    test(`${name} is refused`, () =>
      assert.throws(() => binds(mount), { code: "CreateContainerConfigError", message }));
});
