import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import type { ServiceProblem } from "../problems.ts";
import { TEST_CONFIG } from "../testing/config.ts";
import { MemoryInformer } from "../testing/memory-informer.ts";
import { nodeObject, serviceObject, sliceObject } from "../testing/objects.ts";
import type { Question } from "./model.ts";
import { RoundTally } from "./rounds.ts";
import { answer } from "./source.ts";

const TAKEN: ServiceProblem = { service: "default/web", reason: "FrontendTaken", message: "another has it" };

function cluster(problems: readonly ServiceProblem[] = []) {
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const nodes = new MemoryInformer<Node>();
  const rounds = new RoundTally();
  for (const [name, namespace] of [
    ["api", "default"],
    ["db", "one"],
    ["db", "two"],
    ["web", "default"],
  ] as const) {
    const service = serviceObject({ name, clusterIP: `10.43.0.${name.length + namespace.length}` });
    services.put({ ...service, metadata: { ...service.metadata, namespace } });
  }
  endpointSlices.put(
    sliceObject({
      endpoints: [
        { ip: "10.42.0.2", nodeName: "here" },
        { ip: "10.42.1.2", nodeName: "there" },
        { ip: "10.42.1.3", nodeName: "there", conditions: { ready: false } },
      ],
    }),
  );
  nodes.put(nodeObject({ internalIps: ["192.168.9.1"] }));
  const source = {
    ...{ kernel: openFakeKernel(), services, endpointSlices, nodes, rounds, clock: systemClock },
    ...{ nodeName: "here", config: TEST_CONFIG, problems: () => problems },
  };
  const sync = () => {
    for (const informer of [services, endpointSlices, nodes]) informer.sync();
  };
  return { source, sync, rounds, ask: (question: Question) => answer(question, source) };
}

test("services are listed by name, those with problems first", () => {
  const listed = cluster([TAKEN]).ask({ ask: "list" });
  assert.ok(listed.kind === "list");
  assert.deepEqual(
    listed.services.map(({ service, problems }) => `${service} ${problems}`),
    ["default/web 1", "default/api 0", "one/db 0", "two/db 0"],
  );
  assert.deepEqual(listed.problems, [TAKEN]);
  const [web] = listed.services;
  assert.deepEqual([web?.ready, web?.readyHere, web?.ports], [2, 1, ["80/TCP"]]);
});

test("until all is known it says what it waits for", () => {
  const { ask, sync, rounds } = cluster();
  const waits = () => {
    const listed = ask({ ask: "list" });
    return listed.kind === "list" && listed.waitingFor;
  };
  assert.deepEqual(waits(), ["the API's Services", "the API's EndpointSlices", "the API's Nodes"]);
  sync();
  assert.deepEqual(waits(), ["the first look at this machine"]);
  rounds.hear({ ops: 1, faults: [], ms: 1500 }, Date.parse("2026-01-01T00:00:00Z"));
  assert.deepEqual(waits(), []);
  const listed = ask({ ask: "list" });
  assert.deepEqual(listed.kind === "list" && listed.rounds, {
    ...{ total: 1, failed: 0, lastAt: "2026-01-01T00:00:00.000Z", lastSeconds: 1.5, lastFaults: [] },
  });
});

test("a pod of both families is one endpoint", () => {
  const { ask, source } = cluster();
  const targetRef = { kind: "Pod", namespace: "default", name: "api-1" };
  for (const family of [4, 6] as const)
    source.endpointSlices.put(
      sliceObject({ service: "api", endpoints: [{ ip: "10.42.0.9", nodeName: "here", targetRef }] }, family),
    );
  const listed = ask({ ask: "list" });
  const all = listed.kind === "list" ? listed.services : [];
  assert.equal(all.find(({ service }) => service === "default/api")?.ready, 1);
  const told = ask({ ask: "explain", service: "api" });
  assert.deepEqual(told.kind === "explain" && told.explanation.ready, {
    ...{ total: 1, byNode: [{ node: "here", count: 1 }], nodeCount: 1 },
  });
});

const NAMES: readonly (readonly [asked: string, found: string])[] = [
  ["default/web", "default/web"],
  ["web", "default/web"],
  ["one/db", "one/db"],
  ["db", "several: one/db, two/db"],
  ["three/db", "none: one/db, two/db"],
  ["default/we", "none: default/web"],
  ["nothing", "none: "],
  ["", "none: default/api, default/web, one/db, two/db"],
];

for (const [asked, found] of NAMES)
  test(`a service is found by ${JSON.stringify(asked)}, or what may have been meant: ${found}`, () => {
    const told = cluster().ask({ ask: "explain", service: asked });
    assert.notEqual(told.kind, "list");
    if (told.kind === "explain") assert.equal(told.explanation.service, found);
    if (told.kind === "unknown")
      assert.equal(`${told.isAmbiguous ? "several" : "none"}: ${told.candidates.join(", ")}`, found);
  });

test("one service is told with its own problems, and no others'", () => {
  const { ask } = cluster([TAKEN, { ...TAKEN, service: "one/db" }]);
  const told = ask({ ask: "explain", service: "web" });
  assert.ok(told.kind === "explain");
  assert.deepEqual(told.problems, [TAKEN]);
  assert.equal(told.connections.unread, null);
});
