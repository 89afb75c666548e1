import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Node } from "#kube/generated/types";
import { HandClock } from "#life/testing/hand-clock";
import { nodeObject } from "../testing/objects.ts";
import { checkAnswer, healthAnswers, metricsAnswers } from "./answers.ts";
import { isEligible, ProxyHealth } from "./proxy-health.ts";

function open() {
  const clock = new HandClock();
  const health = new ProxyHealth({ clock, patienceMs: 60_000, families: [4, 6] });
  const counted: string[] = [];
  let eligible = true;
  const answer = healthAnswers(
    health,
    () => eligible,
    (which, status) => counted.push(`${which} ${status}`),
  );
  const ask = (path: string) => {
    const { status, type, body } = answer(path);
    assert.equal(type, status === 404 ? "text/plain; charset=utf-8" : "application/json");
    return [status, status === 404 ? body : JSON.parse(body)];
  };
  const setEligible = (now: boolean) => {
    eligible = now;
  };
  return { clock, health, counted, ask, setEligible };
}

const START = "2026-01-01T00:00:00.000Z";

test("it is healthy while it starts, and says so as kube-proxy does", () => {
  const { ask } = open();
  assert.deepEqual(ask("/healthz"), [
    200,
    { lastUpdated: START, currentTime: START, nodeEligible: true, healthy: true },
  ]);
  assert.deepEqual(ask("/livez"), [200, { lastUpdated: START, currentTime: START, healthy: true }]);
  assert.deepEqual(ask("/other"), [404, "404 page not found\n"]);
});

test("a change that waits too long makes it unhealthy until a round succeeds", async () => {
  const { clock, health, ask, counted } = open();
  health.queued();
  health.updated();
  await clock.pass(1000);
  health.queued();
  await clock.pass(59_999);
  health.queued();
  assert.equal(health.isHealthy, true);
  await clock.pass(1);
  const now = "2026-01-01T00:01:01.000Z";
  const family = { lastUpdated: START, healthy: false };
  const body = {
    lastUpdated: START,
    currentTime: now,
    healthy: false,
    status: { IPv4: family, IPv6: family },
  };
  assert.deepEqual(ask("/livez"), [503, body]);
  assert.deepEqual(ask("/healthz"), [503, { ...body, nodeEligible: true }]);
  health.updated();
  const well = { lastUpdated: now, healthy: true };
  assert.deepEqual(ask("/livez"), [
    200,
    { lastUpdated: now, currentTime: now, healthy: true, status: { IPv4: well, IPv6: well } },
  ]);
  assert.deepEqual(counted, ["livez 503", "healthz 503", "livez 200"]);
});

test("one that never succeeded is not healthy for ever", async () => {
  const { clock, health, ask } = open();
  health.queued();
  await clock.pass(60_000);
  assert.equal(ask("/livez")[0], 503);
  assert.equal(ask("/livez")[1].lastUpdated, "0001-01-01T00:00:00Z");
});

test("a node that is to go is told to load balancers, not to whoever would restart the program", async () => {
  const { clock, health, ask, setEligible } = open();
  health.updated();
  setEligible(false);
  await clock.pass(1000);
  const [status, body] = ask("/healthz");
  assert.deepEqual([status, body.nodeEligible, body.healthy, body.lastUpdated], [503, false, true, START]);
  assert.equal(ask("/livez")[0], 200);
});

describe("a node is eligible", () => {
  const here = nodeObject();
  const doomed = { key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule", value: "1" };
  const cases: readonly (readonly [string, Node | undefined, boolean])[] = [
    ["one that is there", here, true],
    ["with another taint", { ...here, spec: { taints: [{ ...doomed, key: "other" }] } }, true],
    ["not one that nobody knows", undefined, false],
    ["not one whose machine is about to go", { ...here, spec: { taints: [doomed] } }, false],
    ["not one being deleted", { ...here, metadata: { ...here.metadata, deletionTimestamp: START } }, false],
  ];
  for (const [name, node, want] of cases) test(name, () => assert.equal(isEligible(node), want));
});

test("what is served beside the metrics", () => {
  const answer = metricsAnswers(() => "kubeproxy_x 1\n");
  assert.deepEqual(
    ["/metrics", "/proxyMode", "/healthz", "/debug/pprof"].map((path) => [
      answer(path).status,
      answer(path).body,
    ]),
    [
      [200, "kubeproxy_x 1\n"],
      [200, "nftables"],
      [200, "ok"],
      [404, "404 page not found\n"],
    ],
  );
});

describe("a load balancer's check", () => {
  const service = { namespace: "default", name: "web" };
  for (const [localEndpoints, isProxyHealthy, status] of [
    [2, true, 200],
    [0, true, 503],
    [2, false, 503],
  ] as const)
    test(`${localEndpoints} endpoints, ${isProxyHealthy ? "" : "not "}healthy`, () => {
      const answer = checkAnswer(service, { localEndpoints, isProxyHealthy });
      assert.equal(answer.status, status);
      assert.deepEqual(answer.headers, { "X-Load-Balancing-Endpoint-Weight": String(localEndpoints) });
      assert.deepEqual(JSON.parse(answer.body), {
        service,
        localEndpoints,
        serviceProxyHealthy: isProxyHealthy,
      });
    });
});
