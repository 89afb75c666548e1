import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { addressOf, type IpPrefix, parseCidr, parseIpPrefix } from "#addr/cidr";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openFakeClient } from "#kube/fake/client";
import type { Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { openLog, silentLog } from "#telemetry/log";
import { type FabricReady, VXLAN } from "./model.ts";
import { runFabric } from "./run.ts";

const P = "flannel.alpha.coreos.com/";
const OWN: IpPrefix = parseIpPrefix("192.0.2.10/24");

function node(name: string, subnet: number, annotations: Record<string, string> = {}): Node {
  const podCIDR = `10.42.${subnet}.0/24`;
  return { metadata: { name, annotations }, spec: { podCIDR, podCIDRs: [podCIDR] } };
}

function peer(name: string, subnet: number, more: Record<string, string> = {}): Node {
  return node(name, subnet, {
    [`${P}kube-subnet-manager`]: "true",
    [`${P}backend-type`]: "vxlan",
    [`${P}backend-data`]: `{"VNI":1,"VtepMAC":"02:00:00:00:00:0${subnet}"}`,
    [`${P}public-ip`]: `192.0.2.1${subnet}`,
    ...more,
  });
}

/** A node's fabric on a kernel and an API in memory. */
function start(
  t: TestContext,
  kernel = openFakeKernel(),
  client = openFakeClient(),
  refuse: () => void = () => {},
) {
  const stop = new AbortController();
  const { signal } = stop;
  const dir = mkdtempSync(join(tmpdir(), "twill-fabric-"));
  const eth0 =
    kernel.netlink.findLink("eth0") ??
    kernel.netlink.addLink({ kind: "bridge", name: "eth0", mtuBytes: 1500 });
  kernel.netlink.changeLink(eth0.index, { isUp: true });
  kernel.netlink.addAddress(eth0.index, OWN);
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 });
  const readies: FabricReady[] = [];
  const running = runFabric({
    kernel,
    client,
    nodes: openInformer(client, NODES, { clock: systemClock, log: silentLog, signal }),
    nodeName: "own",
    config: {
      clusterCidrs: [parseCidr("10.42.0.0/16")],
      nodeIps: [addressOf(OWN)],
      backend: VXLAN,
      guard: true,
      masquerade: { 4: "fully-random" },
      subnetFile: join(dir, "subnet.env"),
    },
    clock: systemClock,
    log,
    signal,
    onReady: (ready) => {
      refuse();
      readies.push(ready);
    },
  });
  const end = async () => {
    stop.abort();
    await running;
  };
  t.after(async () => {
    await end();
    rmSync(dir, { recursive: true });
  });
  const warnings = () => lines.filter((line) => line.includes(" WARN "));
  return { kernel, client, dir, readies, lines, warnings, end };
}

async function until(what: string, check: () => unknown): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!check()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("a node waits for its subnet, then stands, tells, and takes its peers in and out", async (t) => {
  const { kernel, client, dir, readies, lines } = start(t);
  await client.create(NODES, { metadata: { name: "own" } });
  await until("it says what it waits for", () => lines.some((line) => line.includes("no podCIDR yet")));
  assert.equal(kernel.netlink.findLink("flannel.1"), undefined);

  await client.patch(NODES, { name: "own" }, { spec: node("own", 0).spec }, { type: "merge" });
  await until("ready", () => readies.length === 1);
  assert.deepEqual(readies, [{ podCidrs: ["10.42.0.0/24"], mtuBytes: 1450 }]);
  assert.match(
    readFileSync(join(dir, "subnet.env"), "utf8"),
    /FLANNEL_SUBNET=10\.42\.0\.1\/24\nFLANNEL_MTU=1450/,
  );
  await until("announced", () => client.writes.includes("patch nodes own"));
  const { metadata } = await client.get(NODES, { name: "own" });
  assert.equal(metadata.annotations?.[`${P}public-ip`], "192.0.2.10");

  await client.create(NODES, peer("b", 1));
  await until("b's route", () =>
    kernel.render().includes("route 10.42.1.0/24 via 10.42.1.0 dev flannel.1 proto 84 onlink"),
  );
  await client.delete(NODES, { name: "b" });
  await until("nothing of b", () => !/10\.42\.1\.|192\.0\.2\.11/.test(kernel.render()));
});

test("heartbeats cost nothing: no round, no write", async (t) => {
  const { kernel, client, readies } = start(t);
  await client.create(NODES, node("own", 0));
  await until("ready", () => readies.length === 1);
  await until("announced", () => client.writes.includes("patch nodes own"));
  await client.create(NODES, peer("b", 1));
  await until("b's route", () => kernel.render().includes("10.42.1.0/24"));
  const [calls, writes] = [new Map(kernel.calls), client.writes.length];
  for (let beat = 0; beat < 5; beat++)
    await client.patch(
      NODES,
      { name: "b" },
      {
        status: {
          conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: `2026-01-01T00:00:0${beat}Z` }],
        },
      },
      { type: "merge", subresource: "status" },
    );
  await client.create(NODES, peer("c", 2));
  await until("c's route", () => kernel.render().includes("10.42.2.0/24"));
  assert.equal((kernel.calls.get("replaceRoute") ?? 0) - (calls.get("replaceRoute") ?? 0), 1);
  assert.equal(kernel.calls.get("listRoutes"), calls.get("listRoutes"));
  assert.equal(client.writes.filter((write) => write === "patch nodes own").length, 1);
  assert.ok(client.writes.length > writes);
});

test("a peer's nonsense is told once, by node and key, and costs nobody anything", async (t) => {
  const { kernel, client, warnings } = start(t);
  await client.create(NODES, node("own", 0));
  await client.create(NODES, peer("b", 1));
  await client.create(NODES, peer("bad", 3, { [`${P}backend-data`]: "$(reboot)" }));
  await until("b's route", () => kernel.render().includes("10.42.1.0/24"));
  await until("a warning", () => warnings().length > 0);
  assert.match(warnings()[0] ?? "", /node=bad key=flannel\.alpha\.coreos\.com\/backend-data value=.*reboot/);
  await client.patch(
    NODES,
    { name: "b" },
    { metadata: { annotations: { [`${P}backend-data`]: "oops" } } },
    { type: "merge" },
  );
  await until("a warning of b", () => warnings().some((line) => line.includes("node=b")));
  await client.create(NODES, peer("c", 2));
  await until("c's route", () => kernel.render().includes("10.42.2.0/24"));
  assert.ok(kernel.render().includes("10.42.1.0/24"), "b keeps what worked");
  assert.equal(warnings().length, 2);
});

test("the MAC of the annotation is taken up again, and a lost annotation is written again", async (t) => {
  const mac = "02:00:00:00:00:aa";
  const { kernel, client, readies } = start(t);
  await client.create(
    NODES,
    node("own", 0, {
      ...peer("own", 0).metadata.annotations,
      [`${P}backend-data`]: `{"VNI":1,"VtepMAC":"${mac}"}`,
      [`${P}public-ip-overwrite`]: "203.0.113.9",
    }),
  );
  await until("ready", () => readies.length === 1);
  assert.equal(kernel.netlink.findLink("flannel.1")?.mac, mac);
  const announced = async () => (await client.get(NODES, { name: "own" })).metadata.annotations ?? {};
  let said: Record<string, string> = {};
  await until("the operator's address is announced", () => {
    void announced().then((now) => {
      said = { ...now };
    });
    return said[`${P}public-ip`] === "203.0.113.9";
  });
  await client.patch(NODES, { name: "own" }, { metadata: { annotations: null } }, { type: "merge" });
  await until("annotations are back", () => {
    void announced().then((now) => {
      said = { ...now };
    });
    return (
      said[`${P}backend-data`] === `{"VNI":1,"VtepMAC":"${mac}"}` && said[`${P}public-ip`] === "192.0.2.10"
    );
  });
});

test("an API that refuses the announcement does not keep pods from starting, and is asked again", async (t) => {
  const client = openFakeClient();
  await client.create(NODES, node("own", 0));
  let refusals = 0;
  client.intercept(({ verb }) => (verb === "patch" && refusals++ < 2 ? "InternalError" : undefined));
  const { readies, warnings, lines } = start(t, openFakeKernel(), client);
  await until("ready", () => readies.length === 1);
  await until("it was refused twice, and said so", () => warnings().length === 2);
  await until("announced", () => lines.some((line) => line.includes("announced this node's tunnel")));
  assert.equal(warnings().length, 2);
});

test("a subnet file that cannot be written is told by name, and keeps neither pods nor peers waiting", async (t) => {
  const { client, dir, readies, warnings, lines } = start(t);
  const file = join(dir, "subnet.env");
  mkdirSync(file);
  await client.create(NODES, node("own", 0));
  await until("announced", () => lines.some((line) => line.includes("announced this node's tunnel")));
  assert.equal(readies.length, 1);
  await until("a warning", () => warnings().some((line) => line.includes(`Cannot write ${file}`)));
  rmdirSync(file);
  await until("written", () => statSync(file, { throwIfNoEntry: false })?.isFile());
  assert.match(readFileSync(file, "utf8"), /FLANNEL_SUBNET=10\.42\.0\.1\/24/);
});

test("whoever is told that the network is up, and cannot take it up, is told again", async (t) => {
  let refusals = 0;
  const { client, readies, warnings, lines } = start(t, openFakeKernel(), openFakeClient(), () => {
    if (refusals++ < 2) throw new Error("Cannot use cni0");
  });
  await client.create(NODES, node("own", 0));
  await until("ready", () => readies.length === 1);
  assert.equal(warnings().filter((line) => line.includes("Cannot use cni0")).length, 2);
  await until("announced", () => lines.some((line) => line.includes("announced this node's tunnel")));
  assert.equal(refusals, 3);
});

test("a kernel that cannot filter bridged packets gets all the rest, and one warning", async (t) => {
  const kernel = openFakeKernel({ without: ["br_netfilter"] });
  kernel.fail("loadModule", "ENOENT", 100);
  const { client, readies, warnings } = start(t, kernel);
  await client.create(NODES, node("own", 0));
  await until("ready", () => readies.length === 1);
  await client.create(NODES, peer("b", 1));
  await until("b's route", () => kernel.render().includes("10.42.1.0/24"));
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0] ?? "", /modprobe br_netfilter/);
});

test("a node address that no link carries is waited for", async (t) => {
  const kernel = openFakeKernel();
  const { client, readies, warnings } = start(t, kernel);
  const eth0 = kernel.netlink.findLink("eth0");
  assert.ok(eth0);
  kernel.netlink.deleteAddress(eth0.index, OWN);
  await client.create(NODES, node("own", 0));
  await until("a warning", () => warnings().some((line) => line.includes("no link carries 192.0.2.10")));
  assert.deepEqual(readies, []);
  kernel.netlink.addAddress(eth0.index, OWN);
  await until("ready", () => readies.length === 1);
});

test("a Node that is made anew with another subnet moves the node's half", async (t) => {
  const { kernel, client, readies } = start(t);
  await client.create(NODES, node("own", 0));
  await until("ready", () => readies.length === 1);
  await client.delete(NODES, { name: "own" });
  await client.create(NODES, node("own", 7));
  await until("ready again", () => readies.length === 2);
  assert.deepEqual(readies[1]?.podCidrs, ["10.42.7.0/24"]);
  assert.match(kernel.render(), /address 10\.42\.7\.0\/32 dev flannel\.1/);
  assert.doesNotMatch(kernel.render(), /10\.42\.0\.0\/32/);
});
