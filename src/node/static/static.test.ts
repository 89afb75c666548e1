import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openFakeClient } from "#kube/fake/client";
import type { Pod } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { NODES, PODS } from "#kube/resources";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { isCritical, isMirror } from "../admission/critical.ts";
import { staticPod } from "./manifest.ts";
import { ManifestFiles, type ReadPod } from "./manifest-files.ts";
import { Mirrors } from "./mirrors.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-static-"));
const stop = new AbortController();
after(() => {
  stop.abort();
  rmSync(dir, { recursive: true, force: true });
});
let said = "";
const log = openLog({
  write: (line) => {
    said += line;
  },
  level: "info",
});
const base = { clock: systemClock, log, signal: stop.signal };

const read: ReadPod = async (text, place) => place(JSON.parse(text) as Pod);
const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
const manifest = (name: string, image: string) =>
  JSON.stringify({ metadata: { name }, spec: { containers: [{ name: "c", image }] } });

test("files say which pods there are", async () => {
  const files = new ManifestFiles({ path: dir, nodeName: "n1", read, ...base });
  const names = async () => (await files.read()).map(({ metadata }) => metadata.name);
  assert.deepEqual(await names(), []);
  write("b.yaml", manifest("two", "x"));
  write("a.yaml", manifest("one", "x"));
  write(".hidden", manifest("three", "x"));
  assert.deepEqual(await names(), ["one-n1", "two-n1"]);
  const [one] = await files.read();

  write("a.yaml", `${manifest("one", "x")}\n`);
  assert.equal((await files.read())[0], one, "other white space is not another pod");
  write("a.yaml", "{");
  assert.equal((await files.read())[0], one, "a file that breaks leaves its pod as it was");
  assert.match(said, /a pod's file cannot be used.*a\.yaml/s);
  said = "";
  await files.read();
  assert.equal(said, "", "which is said once");
  write("a.yaml", manifest("one", "y"));
  assert.notEqual((await files.read())[0]?.metadata.uid, one?.metadata.uid);

  write("c.yaml", manifest("two", "z"));
  const pods = await files.read();
  assert.deepEqual(
    pods.map(({ spec }) => spec?.containers[0]?.image),
    ["y", "x"],
  );
  assert.match(said, /another one has a pod of that name.*c\.yaml/s);
  rmSync(join(dir, "b.yaml"));
  assert.deepEqual(await names(), ["one-n1", "two-n1"]);
  rmSync(join(dir, "a.yaml"));
  assert.deepEqual(await names(), ["two-n1"]);
});

test("no folder is no pod, and one file is one", async () => {
  const of = (path: string) => new ManifestFiles({ path, nodeName: "n1", read, ...base }).read();
  assert.deepEqual(await of(join(dir, "none")), []);
  write("single.json", manifest("only", "x"));
  assert.deepEqual((await of(join(dir, "single.json"))).length, 1);
});

test("the API shows what files say, and nothing else", async () => {
  const client = openFakeClient();
  const node = await client.create(NODES, { metadata: { name: "n1" } });
  const pods = openInformer(client, PODS, base);
  await pods.synced;
  const make = (image: string): Pod =>
    staticPod(JSON.parse(manifest("web", image)) as Pod, {
      ...{ path: "/f", nodeName: "n1", seenAt: "2026-01-02T03:04:05Z" },
    });
  let statics = [make("x")];
  const mirrors = new Mirrors({ client, pods, node: () => node, statics: () => statics, log });
  const seen = async (holds: (all: readonly Pod[]) => boolean) => {
    const deadline = Date.now() + 5_000;
    while (!holds(pods.list())) {
      assert.ok(Date.now() < deadline, JSON.stringify(pods.list()));
      await mirrors.sync();
      await new Promise(setImmediate);
    }
    return pods.list()[0];
  };
  const first = await seen(([mirror]) => mirror !== undefined);
  assert.ok(first && isMirror(first) && isCritical(first));
  assert.deepEqual(
    [
      first.metadata.name,
      first.metadata.ownerReferences?.[0]?.kind,
      first.metadata.ownerReferences?.[0]?.uid,
    ],
    ["web-n1", "Node", node.metadata.uid],
  );
  assert.notEqual(first.metadata.uid, statics[0]?.metadata.uid);

  await client.delete(PODS, first.metadata, { gracePeriodSeconds: 0 });
  const second = await seen(([mirror]) => mirror !== undefined && mirror.metadata.uid !== first.metadata.uid);

  statics = [make("y")];
  const third = await seen(([mirror]) => mirror?.spec?.containers[0]?.image === "y");
  assert.notEqual(third?.metadata.uid, second?.metadata.uid);
  assert.equal(mirrors.of(statics[0] ?? make("y"))?.metadata.uid, third?.metadata.uid);
  assert.equal(mirrors.of(make("z")), undefined);

  statics = [];
  await seen((all) => all.length === 0);
});
