import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { readServiceLbAlone } from "#app/config/read-servicelb-alone";
import { runServiceLbAlone } from "#app/servicelb-alone";
import { SERVICELB_ROLE } from "#app/servicelb-rights";
import { FINALIZER } from "#cloud/servicelb/model";
import type { KubeClient } from "#kube/client";
import type { Service } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { formatKubeconfig } from "#kube/kubeconfig";
import { DAEMON_SETS, EVENTS, NAMESPACES, SERVICES } from "#kube/resources";
import { silentLog } from "#telemetry/log";

const user = "lb";
let rig: Rig;
let client: KubeClient & AsyncDisposable;
let kubeconfig: string;

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "test" });
  kubeconfig = join(rig.directory, "lb.kubeconfig");
  const { cert, key } = rig.certificate(user, "people");
  writeFileSync(kubeconfig, formatKubeconfig({ server: rig.url, ca: rig.ca, cert, key }));
});
after(async () => {
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function run(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const reading = readServiceLbAlone([`--kubeconfig=${kubeconfig}`, "--servicelb-namespace=lbs", ...argv]);
  assert.ok(reading.kind === "good");
  await runServiceLbAlone(reading.config, { log: silentLog, signal });
}

const find = async () => (await client.list(DAEMON_SETS, { namespace: "lbs" })).items;
const get = () => client.get(SERVICES, { namespace: "default", name: "web" });

async function until<T>(what: string, holds: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const value = await holds();
    if (value) return value;
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("whoever may not is told what is missing, and which role has it", async () => {
  const never = new AbortController().signal;
  await assert.rejects(run([], never), (error: Error) => {
    assert.match(
      error.message,
      /the cluster does not allow get services, list services, watch services, patch services\/status/,
    );
    assert.ok(error.message.includes(SERVICELB_ROLE));
    return true;
  });
});

test("that role is enough, on a cluster that knows nothing of it", async () => {
  const binding = ["create", "clusterrolebinding", "lb", "--clusterrole=twill-servicelb", `--user=${user}`];
  for (const [args, input] of [
    [["apply", "-f", "-"], SERVICELB_ROLE],
    [binding, ""],
  ] as const) {
    const { code, stderr } = await rig.kubectl(args, { input });
    assert.equal(code, 0, stderr);
  }
  const life = new AbortController();
  const running = run([], life.signal);
  const service: Service = {
    metadata: {
      name: "web",
      namespace: "default",
      annotations: { "svccontroller.k3s.cattle.io/priorityclassname": "none" },
    },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
  };
  await client.create(SERVICES, service);
  await until("there is a DaemonSet", async () => (await find())[0]);
  await client.get(NAMESPACES, { name: "lbs" });
  await until("all of it was told", async () => {
    const told = (await client.list(EVENTS, { namespace: "default" })).items.map(({ reason }) => reason);
    return ["EnsuringLoadBalancer", "AppliedDaemonSet", "UnknownPriorityClass"].every((each) =>
      told.includes(each),
    );
  });
  assert.deepEqual((await get()).metadata.finalizers, [FINALIZER]);
  life.abort();
  await running;
  assert.equal((await find()).length, 1, "what it made stays");
});

test("asked to, it takes down what stands and ends", async () => {
  await run(["--remove"], new AbortController().signal);
  assert.deepEqual(await find(), []);
  assert.deepEqual((await get()).metadata.finalizers ?? [], []);
});
