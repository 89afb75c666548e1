import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeClient } from "#kube/fake/client";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { withdrawEnds } from "./withdraw.ts";

for (const [name, annotations, writes] of [
  [
    "takes its word from its Node, and leaves flannel's",
    { "fabric.twill.io/ends": "{}", "flannel.alpha.coreos.com/backend-type": "vxlan" },
    ["patch nodes own"],
  ],
  ["that never had one writes nothing", { "flannel.alpha.coreos.com/backend-type": "vxlan" }, []],
] as const)
  test(`a node whose cluster brings its own network ${name}`, async () => {
    const stop = new AbortController();
    const options = { clock: systemClock, log: silentLog, signal: stop.signal };
    const client = openFakeClient();
    await client.create(NODES, { metadata: { name: "own", annotations } });
    await client.create(NODES, { metadata: { name: "other", annotations } });
    const before = client.writes.length;
    await withdrawEnds({ client, nodes: openInformer(client, NODES, options), nodeName: "own", ...options });
    stop.abort();
    assert.deepEqual(client.writes.slice(before), writes);
    const { metadata } = await client.get(NODES, { name: "own" });
    assert.deepEqual(metadata.annotations, { "flannel.alpha.coreos.com/backend-type": "vxlan" });
  });
