/** The servers with sockets, on loopback. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { HandClock } from "#life/testing/hand-clock";
import { openLog, silentLog } from "#telemetry/log";
import type { ServiceProblem } from "../problems.ts";
import { TEST_CONFIG } from "../testing/config.ts";
import { MemoryInformer } from "../testing/memory-informer.ts";
import { nodeObject, serviceObject, sliceObject } from "../testing/objects.ts";
import { plain } from "./answers.ts";
import { HealthChecks, wantedChecks } from "./checks.ts";
import { keepListening, type ListenAt, listen } from "./listen.ts";
import { LocalEndpoints } from "./local-endpoints.ts";
import { ProxyHealth } from "./proxy-health.ts";
import { openRoutingHealth } from "./run.ts";

const LOOPBACK = parseIp("127.0.0.1");
const end = new AbortController();
after(() => end.abort());

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  await using server = await listen({ ip: LOOPBACK, port: 0 }, () => plain(""));
  return server.port;
}

async function get({ port }: Pick<ListenAt, "port">, path = "/") {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

async function until(isTrue: () => boolean): Promise<void> {
  for (const from = Date.now(); !isTrue(); ) {
    assert.ok(Date.now() - from < 5000, "it did not come true");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a port that is taken is told once, tried again, and had when it is free", async () => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  const clock = new HandClock();
  const own = new AbortController();
  const other = await listen({ ip: LOOPBACK, port: 0 }, () => plain("other"));
  const at: ListenAt = { ip: LOOPBACK, port: other.port };
  let isListening = false;
  const options = { what: "health", isHardFail: false, clock, log, signal: own.signal };
  const onListening = () => {
    isListening = true;
  };
  const kept = keepListening(at, () => plain("ours"), { ...options, onListening });
  await until(() => lines.length === 1);
  await clock.pass(5000);
  assert.match(lines.join(""), /^[^\n]*health cannot be served; will try again[^\n]*EADDRINUSE[^\n]*\n$/);
  await other[Symbol.asyncDispose]();
  for (const from = Date.now(); !isListening && Date.now() - from < 5000; ) await clock.pass(5000);
  assert.equal((await get(at)).body, "ours");
  own.abort();
  await kept;
  await assert.rejects(get(at));
});

test("a port that is taken can be the end", async () => {
  await using other = await listen({ ip: LOOPBACK, port: 0 }, () => plain(""));
  const kept = keepListening(other, () => plain(""), {
    what: "metrics",
    isHardFail: true,
    clock: new HandClock(),
    log: silentLog,
    signal: end.signal,
  });
  await assert.rejects(kept, {
    code: "CannotListen",
    message: /^Cannot serve metrics at 127.0.0.1:\d+: .*EADDRINUSE/,
  });
});

const CHECKED = { type: "LoadBalancer", externalTrafficPolicy: "Local", ports: [{ port: 80 }] } as const;

test("which services have a check, and where it listens", () => {
  const dual = { clusterIPs: ["10.43.0.7", "fd43::7"] };
  const services = [
    serviceObject({ ...CHECKED, name: "a", healthCheckNodePort: 31000, ...dual }),
    serviceObject({ ...CHECKED, name: "b", healthCheckNodePort: 31001 }),
    serviceObject({ ...CHECKED, name: "c", healthCheckNodePort: 31002, externalTrafficPolicy: "Cluster" }),
    serviceObject({ ...CHECKED, name: "d", healthCheckNodePort: 31003, type: "NodePort" }),
    serviceObject({ ...CHECKED, name: "e" }),
  ];
  assert.deepEqual(wantedChecks(services, undefined), [
    { service: "default/a", port: 31000, ips: ["0.0.0.0", "::"] },
    { service: "default/b", port: 31001, ips: ["0.0.0.0"] },
  ]);
  assert.deepEqual(wantedChecks(services, [parseIp("2001:db8::1"), parseIp("192.0.2.1")]), [
    { service: "default/a", port: 31000, ips: ["192.0.2.1", "2001:db8::1"] },
    { service: "default/b", port: 31001, ips: ["192.0.2.1"] },
  ]);
  assert.deepEqual(wantedChecks(services, [parseIp("2001:db8::1")]).length, 1);
});

test("a check counts ready endpoints of this node, moves with its port, and a taken port is a problem until it is free", async () => {
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const clock = new HandClock();
  const health = new ProxyHealth({ clock, patienceMs: 60_000, families: [4] });
  using endpoints = new LocalEndpoints({ services, endpointSlices, nodeName: "here" });
  const told: (readonly ServiceProblem[])[] = [];
  await using checks = new HealthChecks({
    nodeName: "here",
    endpoints,
    health,
    onProblems: (problems) => told.push(problems),
  });
  const port = await freePort();
  const want = (at: number) => [{ service: "default/web", port: at, ips: [LOOPBACK] }];
  services.put(serviceObject(CHECKED));
  const put = (...list: Parameters<typeof sliceObject>[0]["endpoints"]) =>
    endpointSlices.put(sliceObject({ endpoints: list }));
  const here = { nodeName: "here" };
  put(
    { ip: "10.42.0.2", ...here },
    { ip: "10.42.0.2", ...here },
    { ip: "10.42.0.3", ...here, conditions: { ready: true } },
    { ip: "10.42.0.4", ...here, conditions: { ready: false, serving: true, terminating: true } },
    { ip: "10.42.1.2", nodeName: "there" },
  );
  await checks.bring(want(port));
  const well = await get({ port }, "/whatever");
  assert.deepEqual([well.status, well.headers.get("x-load-balancing-endpoint-weight")], [200, "2"]);
  assert.equal(well.headers.get("x-content-type-options"), "nosniff");
  put({ ip: "10.42.0.4", ...here, conditions: { ready: false, serving: true, terminating: true } });
  assert.equal((await get({ port })).status, 503);
  assert.deepEqual(endpoints.of("default/web", 4), { ready: 0, hasAny: true, hasLocal: true });

  const other = await listen({ ip: LOOPBACK, port: 0 }, () => plain(""));
  await checks.bring(want(other.port));
  await assert.rejects(get({ port }), "the old port is closed");
  assert.deepEqual(
    told.at(-1)?.map(({ reason }) => reason),
    ["FailedToStartServiceHealthcheck"],
  );
  assert.match(
    told.at(-1)?.[0]?.message ?? "",
    /^node here failed to start healthcheck "default\/web" on port \d+: .*EADDRINUSE/,
  );
  await checks.bring(want(other.port));
  assert.equal(told.length, 1, "told once");
  await other[Symbol.asyncDispose]();
  await checks.bring(want(other.port));
  assert.deepEqual(told.at(-1), []);
  assert.equal((await get(other)).status, 503);
  await checks.bring([]);
  await assert.rejects(get(other));
});

test("all of it together: health, metrics by kube-proxy's names, checks as services come and go", async () => {
  const kernel = openFakeKernel();
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const nodes = new MemoryInformer<Node>();
  const clock = new HandClock();
  const own = new AbortController();
  const [healthz, metrics, check] = [await freePort(), await freePort(), await freePort()];
  const opened = openRoutingHealth({
    kernel,
    services,
    endpointSlices,
    nodes,
    nodeName: "here",
    families: [4],
    config: { ...TEST_CONFIG, nodePortAddresses: { cidrs: [], primary: true } },
    healthz: { ip: LOOPBACK, port: healthz },
    metrics: { ip: LOOPBACK, port: metrics },
    isHardFail: true,
    patienceMs: 60_000,
    onProblems: () => {},
    clock,
    log: silentLog,
    signal: own.signal,
  });
  // Its Node has the address of a machine that tests on itself.
  nodes.put(nodeObject({ internalIps: ["127.0.0.2"] }));
  await clock.pass(1);
  const trigger = { "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00.001Z" };
  const slice = sliceObject({ endpoints: [{ ip: "10.42.1.2", nodeName: "there" }] });
  endpointSlices.put({ ...slice, metadata: { ...slice.metadata, annotations: trigger } });
  services.put(serviceObject({ ...CHECKED, healthCheckNodePort: check }));
  services.sync();
  await clock.pass(3000);
  const before = (await get({ port: metrics }, "/metrics")).body;
  assert.match(before, /^kubeproxy_sync_proxy_rules_endpoint_changes_pending 1$/m);
  opened.hearRound({ ops: 3, faults: [], ms: 12, hasMore: true });
  const half = (await get({ port: metrics }, "/metrics")).body;
  assert.match(half, /^kubeproxy_sync_proxy_rules_endpoint_changes_pending 1$/m);
  opened.hearRound({ ops: 3, faults: [], ms: 12 });
  opened.conntrack.listFlows({ family: 4, protocol: 17 });
  assert.equal((await get({ port: healthz }, "/healthz")).status, 200);
  nodes.remove(nodeObject());
  assert.equal((await get({ port: healthz }, "/healthz")).status, 503);
  assert.equal((await get({ port: healthz }, "/livez")).status, 200);
  const { body } = await get({ port: metrics }, "/metrics");
  for (const line of [
    'kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="0.016"} 2',
    'kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="3"} 1',
    'kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="2"} 0',
    'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1767225603.001',
    "kubeproxy_sync_proxy_rules_endpoint_changes_pending 0",
    "kubeproxy_sync_proxy_rules_endpoint_changes_total 1",
    "kubeproxy_sync_proxy_rules_service_changes_total 1",
    'kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv4"} 0',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 1',
    'kubeproxy_proxy_healthz_total{code="200"} 1',
    'kubeproxy_proxy_healthz_total{code="503"} 1',
    'kubeproxy_proxy_livez_total{code="200"} 1',
    'kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"} 1',
  ])
    assert.ok(body.split("\n").includes(line), `${line}\n${body}`);
  own.abort();
  await opened.kept;
  await assert.rejects(get({ port: healthz }, "/livez"));
});
