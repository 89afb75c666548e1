import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import type { KubeClient } from "#kube/client";
import type { Pod, PodStatus } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { CRON_JOBS, DAEMON_SETS, JOBS, PODS, REPLICATION_CONTROLLERS, STATEFUL_SETS } from "#kube/resources";

const namespace = "default";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "controllers" });
  harness = await openHarness({ client });
  harness.ends = endOf;
  for (const name of ["node-1", "node-2"]) await harness.addNode(name);
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** Images say how their pods end. */
function endOf({ spec }: Pod): PodStatus | undefined {
  const image = spec?.containers[0]?.image;
  if (image === "done") return { phase: "Succeeded" };
  if (image !== "broken") return undefined;
  const state = { terminated: { exitCode: 3, finishedAt: "2026-01-01T00:00:00Z" } };
  const status = { name: "c", image, imageID: "", ready: false, restartCount: 0, state };
  return { phase: "Failed", containerStatuses: [status] };
}

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.kubectl(args);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function apply(manifest: unknown): Promise<void> {
  const { code, stderr } = await rig.kubectl(["apply", "-f", "-"], { input: JSON.stringify(manifest) });
  assert.equal(code, 0, stderr);
}

function template(app: string, image: string, more: object = {}) {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: "c", image }], ...more } };
}

function set(kind: "StatefulSet" | "DaemonSet", name: string, more: object) {
  const selector = { matchLabels: { app: name } };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace },
    spec: { selector, template: template(name, "c:1"), ...more },
  };
}

function job(name: string, image: string, more: object = {}) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace },
    spec: { template: template(name, image, { restartPolicy: "Never" }), ...more },
  };
}

async function imagesOf(app: string): Promise<string> {
  const { items } = await client.list(PODS, { namespace, labelSelector: `app=${app}` });
  return items.map(({ spec }) => spec?.containers[0]?.image).join();
}

for (const [kind, name, path, pods] of [
  ["StatefulSet", "db", "statefulset/db", 3],
  ["DaemonSet", "agent", "daemonset/agent", 2],
] as const)
  test(`a ${kind} rolls out, shows its history, and is rolled back`, async () => {
    await apply(set(kind, name, kind === "StatefulSet" ? { replicas: 3, serviceName: "db" } : {}));
    const status = () => kubectl("rollout", "status", path, "--timeout=15s");
    assert.match(await status(), /complete|successfully rolled out/);
    await kubectl("set", "image", path, "c=c:2");
    await status();
    assert.equal(await imagesOf(name), Array(pods).fill("c:2").join());
    assert.match(await kubectl("rollout", "history", path), /\n1 .*\n2 /s);
    assert.match(await kubectl("rollout", "history", path, "--revision=1"), /c:1/);
    const before = await client.list(PODS, { namespace, labelSelector: `app=${name}` });
    await kubectl("rollout", "undo", path);
    await status();
    assert.equal(await imagesOf(name), Array(pods).fill("c:1").join());
    assert.match(await kubectl("rollout", "history", path), /\n2 .*\n3 /s);
    const now = await client.list(PODS, { namespace, labelSelector: `app=${name}` });
    assert.ok(
      now.items.every(({ metadata }) => before.items.every((old) => old.metadata.uid !== metadata.uid)),
    );
    await kubectl("rollout", "restart", path);
    await status();
  });

test("both kinds of set write their status as kube-controller-manager does", async () => {
  const db = await client.get(STATEFUL_SETS, { namespace, name: "db" });
  assert.equal(db.status?.currentRevision, db.status?.updateRevision);
  assert.match(db.status?.currentRevision ?? "", /^db-[0-9a-z]+$/);
  assert.equal(db.status?.collisionCount, 0);
  const agent = await client.get(DAEMON_SETS, { namespace, name: "agent" });
  assert.equal(agent.metadata.annotations?.["deprecated.daemonset.template.generation"], "4");
  await kubectl("scale", "statefulset/db", "--replicas=1");
  await kubectl("wait", "--for=delete", "pod/db-1", "--timeout=10s");
  assert.match(await kubectl("get", "statefulset", "db"), /1\/1/);
});

test("Jobs complete and fail, and kubectl waits for either", async () => {
  await apply(job("good", "done", { completions: 4, parallelism: 2, completionMode: "Indexed" }));
  await apply(job("bad", "broken", { backoffLimit: 0 }));
  await kubectl("wait", "--for=condition=complete", "job/good", "--timeout=10s");
  await kubectl("wait", "--for=condition=failed", "job/bad", "--timeout=10s");
  assert.match(await kubectl("get", "jobs"), /bad +Failed +0\/1/);
  assert.match(await kubectl("get", "jobs"), /good +Complete +4\/4/);
  const { status } = await client.get(JOBS, { namespace, name: "good" });
  assert.equal(status?.completedIndexes, "0-3");
  await kubectl("delete", "job", "good", "bad");
  await harness.until("their pods are gone", async () => {
    const { items } = await client.list(PODS, { namespace, labelSelector: "batch.kubernetes.io/job-name" });
    return items.length === 0;
  });
});

test("a Job that goes after its end goes, with its pods", async () => {
  await apply(job("brief", "done", { ttlSecondsAfterFinished: 1 }));
  await kubectl("wait", "--for=delete", "job/brief", "--timeout=10s");
  assert.equal(await imagesOf("brief"), "");
});

test("a Job is started by hand from a CronJob, whose schedule has to be one", async () => {
  const cron = {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "tick", namespace },
    spec: { schedule: "@yearly", jobTemplate: { spec: job("x", "done").spec } },
  };
  const refused = await rig.kubectl(["apply", "-f", "-"], {
    input: JSON.stringify({ ...cron, spec: { ...cron.spec, schedule: "61 * * * *" } }),
  });
  assert.match(
    refused.stderr,
    /spec.schedule: Invalid value: "61 \* \* \* \*": end of range \(61\) above maximum/,
  );
  await apply(cron);
  await kubectl("create", "job", "--from=cronjob/tick", "now");
  await kubectl("wait", "--for=condition=complete", "job/now", "--timeout=10s");
  await harness.until("its success is noted", async () => {
    const { status } = await client.get(CRON_JOBS, { namespace, name: "tick" });
    return status?.lastSuccessfulTime;
  });
  await kubectl("delete", "cronjob", "tick");
  await kubectl("wait", "--for=delete", "job/now", "--timeout=10s");
});

test("a ReplicationController is scaled", async () => {
  const spec = { replicas: 1, selector: { app: "old" }, template: template("old", "c:1") };
  await apply({
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { name: "old", namespace },
    spec,
  });
  await kubectl("scale", "rc/old", "--replicas=2");
  await harness.until("two", async () => {
    const { status } = await client.get(REPLICATION_CONTROLLERS, { namespace, name: "old" });
    return status?.readyReplicas === 2;
  });
  await kubectl("delete", "rc", "old");
});
