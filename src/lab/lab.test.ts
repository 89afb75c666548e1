import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isChange, isServersAlone } from "./change.ts";
import { readDemo } from "./demo.ts";
import { flagValues, withoutDns } from "./launch.ts";
import { layoutOf } from "./layout.ts";
import { isNodeProcess, processesIn } from "./processes.ts";
import { readRecord, writeRecord } from "./record.ts";
import { openSteps } from "./steps.ts";
import { nodeTable, podTable } from "./table.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-lab-"));
after(() => rmSync(dir, { recursive: true }));

test("a lab's places and addresses follow from its name", () => {
  const lab = layoutOf("a", 3, { state: "/s", run: "/r" });
  assert.deepEqual(
    lab.nodes.map(({ name, role, ips }) => [name, role, ...ips]),
    [
      ["a-server", "server", "172.30.0.11", "fd30::b"],
      ["a-agent-1", "agent", "172.30.0.12", "fd30::c"],
      ["a-agent-2", "agent", "172.30.0.13", "fd30::d"],
    ],
  );
  assert.equal(lab.nodes[1]?.netns, "/r/a/a-agent-1.net");
  assert.equal(lab.nodes[1]?.dir, "/s/a/nodes/a-agent-1");
});

for (const [name, nodes, says] of [
  ["A", 1, /--name/],
  ["../x", 1, /--name/],
  ["", 1, /--name/],
  ["x".repeat(31), 1, /--name/],
  ["a", 0, /--nodes 0: expected 1 to 100/],
  ["a", 101, /--nodes 101/],
  ["a", Number.NaN, /--nodes NaN/],
  ["a", 1.5, /--nodes 1\.5/],
] as const) {
  test(`a lab called ${JSON.stringify(name)} with ${nodes} nodes is refused`, () =>
    assert.throws(() => layoutOf(name, nodes), says));
}

test("what up writes down reads back; no lab is no record; rubbish says how to get rid of it", () => {
  const record = {
    name: "a",
    nodes: 2,
    token: "t",
    apiPort: 1,
    pagePort: undefined,
    kubeconfig: "/k",
    serverFlags: ["--debug"],
    agentFlags: [],
    isUp: false,
  };
  writeRecord(join(dir, "a"), record);
  assert.deepEqual(readRecord(join(dir, "a")), {
    name: "a",
    nodes: 2,
    token: "t",
    apiPort: 1,
    kubeconfig: "/k",
    serverFlags: ["--debug"],
    agentFlags: [],
    isUp: false,
  });
  assert.equal(readRecord(join(dir, "b")), undefined);
  writeFileSync(join(dir, "a/lab.json"), "{");
  assert.throws(
    () => readRecord(join(dir, "a")),
    /it is damaged; remove the lab with: \.\/twill down --name a$/,
  );
});

test("a flag's values are found in both forms", () => {
  assert.deepEqual(flagValues(["--a", "1", "--b=2"], "a"), ["1"]);
  assert.deepEqual(flagValues(["--a", "1", "--b=2", "--b", "3"], "b"), ["2", "3"]);
  assert.deepEqual(flagValues(["--ab=2"], "a"), []);
});

for (const [flags, without] of [
  [[], false],
  [["--node-label", "coredns=x"], false],
  [["--disable", "traefik"], false],
  [["--disable", "traefik,coredns"], true],
  [["--no-deploy=coredns"], true],
  [["--disable-kube-proxy"], true],
  [["--disable-kube-proxy=false"], false],
] as const) {
  test(`a server started with ${JSON.stringify(flags)} has ${without ? "no" : "working"} names`, () =>
    assert.equal(withoutDns(flags), without));
}

test("a step tells what it did and when; a slow one what it waits for; a broken one that it broke", async () => {
  const lines: string[] = [];
  let now = 0;
  const steps = openSteps(
    (line) => lines.push(line),
    () => now,
  );
  await steps.run("made it", () => {
    now = 1234;
  });
  await assert.rejects(
    steps.run("broke it", (progress) => {
      progress("a node");
      throw new Error("no");
    }),
  );
  assert.deepEqual(lines, ["   1.2s  made it\n", "   1.2s  could not: broke it (a node)\n"]);
});

test("a process is found by where its mounts come from, and by nothing else", async () => {
  assert.deepEqual(processesIn(dir), []);
  const child = spawn("sleep", ["60"]);
  try {
    assert.ok(child.pid);
    assert.equal(processesIn(dir).includes(child.pid), false);
    assert.equal(isNodeProcess(child.pid, "60"), true);
    assert.equal(isNodeProcess(child.pid, "61"), false);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  assert.equal(isNodeProcess(child.pid ?? 0, "60"), false);
});

test("tables line up and survive what is missing", () => {
  const pods = [
    {
      metadata: { name: "p", namespace: "d" },
      spec: { containers: [], nodeName: "n" },
      status: { podIP: "10.42.0.2", conditions: [{ type: "Ready", status: "True" }] },
    },
    { metadata: { name: "longer-name", namespace: "d" }, status: { phase: "Pending" } },
  ];
  assert.equal(
    podTable(pods),
    "NAMESPACE   POD           STATUS    IP          NODE\nd           longer-name   Pending   <none>      <none>\nd           p             Ready     10.42.0.2   n",
  );
  assert.equal(
    nodeTable([{ metadata: { name: "n" } }]),
    "NODE   STATUS     ADDRESS   PODS\nn      NotReady   <none>    <none>",
  );
});

test("the demo is three web pods, a client, and their services, as kubectl would have applied them", () => {
  const objects = readDemo(join(import.meta.dirname, "../../demo"));
  assert.deepEqual(
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ["Deployment client", "Service client", "Deployment web", "Service web"],
  );
  for (const { metadata } of objects) {
    const applied = JSON.parse(
      metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"] ?? "",
    );
    assert.equal(applied.metadata.name, metadata.name);
  }
});

for (const [standing, asked, is] of [
  ["", "--flannel-backend=host-gw", true],
  ["--flannel-backend=host-gw", "--flannel-backend wireguard-native", true],
  ["--debug --flannel-backend vxlan", "--debug --flannel-conf=/etc/x.json", true],
  ["--debug", "--flannel-backend=host-gw", false],
  ["", "--flannel-backend=host-gw --debug", false],
  ["", "--disable=servicelb", true],
  ["--disable servicelb --disable coredns", "--disable coredns", true],
  ["", "--disable-cloud-controller --disable coredns", true],
  ["--disable-cloud-controller --debug", "--debug --kubelet-arg=cloud-provider=external", true],
  ["--disable-cloud-controller --debug", "", false],
  ["--flannel-backend=none", "--flannel-backend=vxlan", false],
  ["", "--flannel-backend=none", false],
  ["--cluster-cidr=10.42.0.0/16", "--cluster-cidr=10.52.0.0/16 --flannel-backend=host-gw", false],
] as const) {
  test(`a lab with ${standing || "no flags"} ${is ? "can" : "cannot"} go on with ${asked}`, () => {
    const words = (text: string) => text.split(" ").filter((word) => word !== "");
    assert.equal(isChange(words(standing), words(asked)), is);
  });

  test("agents are started again only for what they read: ServiceLB, when it comes back", () => {
    const [off, on, other] = [
      ["--disable=servicelb"],
      ["--disable=x"],
      ["--disable=servicelb", "--kubelet-arg=a=b"],
    ];
    assert.equal(isServersAlone(on, off), true);
    assert.equal(isServersAlone(off, on), false);
    assert.equal(isServersAlone(off, other), false);
  });
}
