import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "#store/open";
import { openRig, type Rig } from "./testing/rig.ts";

const DEADLINE_MS = 10_000;

/** Asks until the answer is as it should be. */
async function eventually(ask: () => Promise<string>, wanted: RegExp): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  for (;;) {
    const text = await ask();
    if (wanted.test(text)) return;
    if (Date.now() > until) assert.match(text, wanted);
    await sleep(50);
  }
}

const service = (name: string, spec: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const network = (name: string, cidr: string) =>
  `apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: ${name}}\nspec: {cidrs: [${cidr}]}\n`;

describe("addresses of services, seen by kubectl", () => {
  const directory = mkdtempSync(join(tmpdir(), "addresses-"));
  let rig: Rig;
  before(async () => {
    rig = await openRig({ directory });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  const kubectl = async (line: string, input = "") => {
    const { stdout, stderr } = await rig.kubectl(line.split(" "), { input });
    return stdout + stderr;
  };
  const addresses = () => kubectl("get ipaddresses --no-headers");

  test("the first network is there and ready, and the API's own Service has an address of it", async () => {
    await eventually(
      () => kubectl("get servicecidr kubernetes -o jsonpath={.status.conditions[0].status}"),
      /^True$/,
    );
    assert.match(await addresses(), /^10\.43\.0\.1 +services\/default\/kubernetes/m);
  });

  test("an address comes with its Service and goes with it", async () => {
    await kubectl("apply -f -", service("one", "{clusterIP: 10.43.0.7, ports: [{port: 80}]}"));
    await eventually(addresses, /^10\.43\.0\.7 +services\/default\/one/m);
    await kubectl("delete service one");
    await eventually(addresses, /^(?![\s\S]*10\.43\.0\.7 )/);
  });

  test("an address that somebody keeps is not given to a Service", async () => {
    const kept =
      "apiVersion: networking.k8s.io/v1\nkind: IPAddress\nmetadata: {name: 10.43.0.9}\nspec: {parentRef: {group: gateway.networking.k8s.io, resource: gateways, namespace: default, name: g}}\n";
    await kubectl("apply -f -", kept);
    assert.match(
      await kubectl("apply -f -", service("late", "{clusterIP: 10.43.0.9, ports: [{port: 80}]}")),
      /provided IP is already allocated/,
    );
    assert.match(await addresses(), /^10\.43\.0\.9 +gateways\.gateway\.networking\.k8s\.io\/default\/g/m);
  });

  test("a network that is added gives addresses, and goes when the last of them has gone", async () => {
    const far = service("far", "{clusterIP: 10.99.0.7, ports: [{port: 80}]}");
    assert.match(await kubectl("apply -f -", far), /not in the valid range/);
    await kubectl("apply -f -", network("extra", "10.99.0.0/24"));
    assert.match(await kubectl("apply -f -", far), /created/);
    await eventually(addresses, /^10\.99\.0\.7 /m);
    await kubectl("delete servicecidr extra --wait=false");
    await eventually(
      () => kubectl("get servicecidr extra -o jsonpath={.status.conditions[0].reason}"),
      /^Terminating$/,
    );
    assert.match(
      await kubectl("apply -f -", service("farther", "{clusterIP: 10.99.0.8, ports: [{port: 80}]}")),
      /not in the valid range/,
    );
    await kubectl("delete service far");
    await eventually(() => kubectl("get servicecidr extra"), /not found/);
  });

  test("what a crash left between a Service and its address is put right, and told", async () => {
    await kubectl("apply -f -", service("torn", "{clusterIP: 10.43.0.11, ports: [{port: 80}]}"));
    await kubectl("apply -f -", service("gone", "{clusterIP: 10.43.0.12, ports: [{port: 80}]}"));
    await eventually(addresses, /^10\.43\.0\.12 /m);
    await rig[Symbol.asyncDispose]();
    await tear(join(directory, "db", "state.db"), [
      "/registry/networking.k8s.io/ipaddresses/10.43.0.11",
      "/registry/core/services/default/gone",
    ]);
    rig = await openRig({ directory });
    await eventually(addresses, /^10\.43\.0\.11 +services\/default\/torn/m);
    assert.doesNotMatch(await addresses(), /10\.43\.0\.12 /);
    assert.match(await kubectl("get events"), /ClusterIPNotAllocated +service\/torn/);
  });
});

/** Takes keys out of a store that nobody has open. */
async function tear(path: string, keys: readonly string[]): Promise<void> {
  const store = await openStore({ path });
  const found = new Map<string, number>();
  for (const changes of store.replay())
    for (const { key, revision } of changes) if (keys.includes(key)) found.set(key, revision);
  for (const key of keys) {
    const result = await store.write({ key, value: undefined, expected: found.get(key) ?? 0 });
    assert.equal(result.kind, "written", key);
  }
  await store[Symbol.asyncDispose]();
}
