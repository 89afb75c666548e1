import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeClient } from "#kube/fake/client";
import type { Service } from "#kube/generated/types";
import { EVENTS } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { openLog } from "#telemetry/log";
import type { ServiceProblem } from "./problems.ts";
import { ProblemTeller } from "./tell-problems.ts";
import { MemoryInformer } from "./testing/memory-informer.ts";
import { serviceObject } from "./testing/objects.ts";

const TAKEN: ServiceProblem = {
  service: "default/web",
  reason: "FrontendTaken",
  message: "192.0.2.1:80/tcp is default/other's",
};
const IN_USE: ServiceProblem = { service: "default/web", reason: "PortInUse", message: "process nginx" };

/** A cluster with a service, and nodes that tell of it. */
function openWorld() {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const services = new MemoryInformer<Service>();
  const web = serviceObject({});
  services.put({ ...web, metadata: { ...web.metadata, uid: "u1" } });
  const end = new AbortController();
  const nodes: Promise<void>[] = [];
  const open = (nodeName: string) => {
    const lines: string[] = [];
    const log = openLog({ write: (line) => lines.push(line.slice(25).trim()), level: "info" });
    const teller = new ProblemTeller({ client, services, nodeName, clock, log, signal: end.signal });
    nodes.push(teller.run());
    return { teller, lines };
  };
  const events = async () => (await client.list(EVENTS)).items;
  return {
    clock,
    client,
    services,
    open,
    events,
    async [Symbol.asyncDispose]() {
      end.abort();
      await Promise.all(nodes);
    },
  };
}

test("a problem is a line and an Event when it appears, and a line when it is over", async () => {
  await using world = openWorld();
  const { teller, lines } = world.open("a");
  teller.hear("routes", [TAKEN]);
  await world.clock.pass(1);
  teller.hear("processes", [IN_USE]);
  teller.hear("routes", [TAKEN]);
  await world.clock.pass(1);
  teller.hear("processes", []);
  await world.clock.pass(1);
  assert.deepEqual(teller.all, [TAKEN]);
  assert.deepEqual(lines, [
    `WARN  a service has a problem service=default/web reason=FrontendTaken message="192.0.2.1:80/tcp is default/other's"`,
    'WARN  a service has a problem service=default/web reason=PortInUse message="process nginx"',
    "INFO  a service's problem is over service=default/web reason=PortInUse",
  ]);
  const [first, second] = (await world.events()).toSorted((a, b) =>
    (a.reason ?? "").localeCompare(b.reason ?? ""),
  );
  assert.deepEqual(
    [first?.involvedObject.kind, first?.involvedObject.uid, first?.involvedObject.apiVersion],
    ["Service", "u1", "v1"],
  );
  assert.deepEqual(
    [first?.type, first?.reason, first?.source, first?.reportingComponent, first?.message],
    ["Warning", "FrontendTaken", { component: "kube-proxy" }, "kube-proxy", TAKEN.message],
  );
  assert.deepEqual(second?.source, { component: "kube-proxy", host: "a" });
});

test("what all nodes see is one Event, what a node sees is its own", async () => {
  await using world = openWorld();
  for (const name of ["a", "b", "c"]) world.open(name).teller.hear("routes", [TAKEN, IN_USE]);
  await world.clock.pass(1);
  const reasons = (await world.events()).map(({ reason }) => reason).sort();
  assert.deepEqual(reasons, ["FrontendTaken", "PortInUse", "PortInUse", "PortInUse"]);
});

test("an Event that cannot be written is written later, a lasting problem again each hour", async () => {
  await using world = openWorld();
  const { teller } = world.open("a");
  let isDown = true;
  world.client.intercept(({ verb }) => (verb === "create" && isDown ? "ServiceUnavailable" : undefined));
  teller.hear("routes", [TAKEN]);
  await world.clock.pass(60_000);
  assert.equal((await world.events()).length, 0);
  isDown = false;
  await world.clock.pass(60_000);
  const [event] = await world.events();
  assert.ok(event);
  await world.client.delete(EVENTS, event.metadata);
  await world.clock.pass(3_500_000);
  assert.equal((await world.events()).length, 0);
  await world.clock.pass(200_000);
  assert.equal((await world.events()).length, 1);
});

test("a thousand problems are not a thousand lines", async () => {
  await using world = openWorld();
  const { teller, lines } = world.open("a");
  const many = Array.from({ length: 1000 }, (_, i) => ({ ...TAKEN, message: `taken ${i}` }));
  teller.hear("routes", many);
  await world.clock.pass(1);
  assert.equal(lines.length, 51);
  assert.match(lines.at(-1) ?? "", /more services have problems, or have them no longer count=950/);
});

test("of a service that is gone there is no Event", async () => {
  await using world = openWorld();
  const { teller } = world.open("a");
  teller.hear("routes", [{ ...TAKEN, service: "default/gone" }]);
  await world.clock.pass(1);
  assert.deepEqual(await world.events(), []);
});
