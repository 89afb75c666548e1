import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import type { ServiceProblem } from "#service/problems";
import { openRoutingStatus } from "#service/status/open";
import { TEST_CONFIG } from "#service/testing/config";
import { MemoryInformer } from "#service/testing/memory-informer";
import { nodeObject, serviceObject, sliceObject } from "#service/testing/objects";
import { silentLog } from "#telemetry/log";
import { service } from "./service.ts";

const TAKEN: ServiceProblem = {
  service: "default/web",
  reason: "FrontendTaken",
  message: "default/old has 192.0.2.1:80/TCP",
};

/** A node that routes one service and answers about it. */
async function routing(t: TestContext, problems: readonly ServiceProblem[] = []): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "twill-service-"));
  const socketPath = join(dir, "service.sock");
  const [services, endpointSlices, nodes] = [
    new MemoryInformer<Service>(),
    new MemoryInformer<EndpointSlice>(),
    new MemoryInformer<Node>(),
  ];
  services.put(serviceObject({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] }));
  for (const namespace of ["one", "two"]) {
    const db = serviceObject({ name: "db" });
    services.put({ ...db, metadata: { ...db.metadata, namespace } });
  }
  endpointSlices.put(sliceObject({ endpoints: [{ ip: "10.42.0.2", nodeName: "here" }] }));
  nodes.put(nodeObject({ internalIps: ["192.168.9.1"] }));
  for (const informer of [services, endpointSlices, nodes]) informer.sync();
  const stop = new AbortController();
  const status = openRoutingStatus({
    ...{ socketPath, services, endpointSlices, nodes, nodeName: "here", config: TEST_CONFIG },
    ...{ kernel: openFakeKernel(), clock: systemClock, log: silentLog, signal: stop.signal },
  });
  status.hearRound({ ops: 1, faults: [], ms: 1 });
  status.hearProblems(problems);
  t.after(async () => {
    stop.abort();
    await status.kept;
    rmSync(dir, { recursive: true });
  });
  while (!existsSync(socketPath)) await turn();
  return socketPath;
}

async function say(...argv: readonly string[]) {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await service.run(argv, {
    env: {},
    write: (text) => out.push(text),
    writeError: (text) => errors.push(text),
    program: { root: "/", node: process.execPath },
    signal: new AbortController().signal,
  });
  return { code, out: out.join(""), errors: errors.join("") };
}

test("services are listed; problems make another exit code", async (t) => {
  const fine = await say("list", "--socket", await routing(t));
  assert.equal(fine.code, 0);
  assert.match(fine.out, /^default\/web +NodePort +10\.43\.0\.7 +- +80:30080\/TCP +1 +1 +Cluster$/m);
  const taken = await say("list", "--socket", await routing(t, [TAKEN]));
  assert.equal(taken.code, 1);
  assert.match(taken.out, /^default\/web: FrontendTaken: default\/old has/m);
  assert.match(taken.out, /^! default\/web /m);
});

test("one service is told, as text and as JSON", async (t) => {
  const socket = await routing(t, [TAKEN]);
  const text = await say("explain", "web", "--socket", socket);
  assert.equal(text.code, 0);
  assert.match(text.out, /^default\/web {3}NodePort/);
  assert.match(text.out, /^FrontendTaken: /m);
  const json = await say("explain", "default/web", "-ojson", `--socket=${socket}`);
  assert.equal(JSON.parse(json.out).explanation.service, "default/web");
  const asked = ["--from", "203.0.113.9", "--to", "10.43.0.7", "--port", "80"];
  const one = await say("explain", "default/web", "--socket", socket, ...asked);
  assert.match(one.out, /^203\.0\.113\.9 \(outside the cluster\) to /m);
});

const WRONG: readonly (readonly [argv: string, code: number, errors: RegExp])[] = [
  ["", 2, /list, or explain\?/],
  ["tell", 2, /"tell" is neither list nor explain/],
  ["list web", 2, /"web" is nothing that list takes/],
  ["list --from 10.0.0.1", 2, /--from is for explain/],
  ["explain", 2, /which service\? NAMESPACE\/NAME/],
  ["explain web more", 2, /"more" is nothing that explain takes/],
  ["explain web --from here", 2, /--from: "here" is no IP address/],
  ["explain web --port 70000", 2, /--port: "70000" is no port/],
  ["explain web -o yaml", 2, /--output: "yaml" is neither json nor text/],
  ["explain web --node a", 2, /--socket is for one agent/],
  ["explain db", 1, /^Cannot tell which service "db" is: there are one\/db, two\/db$/m],
  ["explain nothing", 1, /^Cannot find service "nothing"$/m],
  ["explain three/db", 1, /^Cannot find service "three\/db"; there is one\/db, two\/db$/m],
];

for (const [argv, code, errors] of WRONG)
  test(`what cannot be told is said: ${JSON.stringify(argv)}`, async (t) => {
    const words = argv.split(" ").filter((word) => word !== "");
    const said = await say(...words, "--socket", await routing(t));
    assert.deepEqual([said.code, said.out], [code, ""]);
    assert.match(said.errors, errors);
  });

test("where nobody answers that is said", async () => {
  const said = await say("list", "--socket", "/nowhere/service.sock");
  assert.equal(said.code, 3);
  assert.match(said.errors, /no Twill that routes services runs here/);
});
