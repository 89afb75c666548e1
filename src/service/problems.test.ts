import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { DesiredServices, programsOf } from "./controller.ts";
import type { Ground, Place, ServiceConfig } from "./model.ts";
import { isOfOneNode, problemId, type ServiceProblem, sortedProblems } from "./problems.ts";
import { SliceIndex } from "./slice-index.ts";
import { TEST_CONFIG } from "./testing/config.ts";
import { type ServiceShape, type SliceShape, serviceObject, sliceObject } from "./testing/objects.ts";

const NODE = parseIp("192.168.9.1");
const PLACE: Place = {
  nodeName: "here",
  zone: undefined,
  localIps: [NODE],
  loopbackIps: [],
  nodeIps: [NODE],
  nodePortIps: [NODE],
};
const GROUND: Ground = { clusterNodes: [], servers: [], serviceCidrs: [], podCidrs: [] };
const A = { ip: "10.42.0.2", nodeName: "here" };
const API = { protocol: "tcp", port: 6443, why: "the Kubernetes API" } as const;

class Bench {
  readonly #services = new Map<string, Service>();
  readonly #slices = new SliceIndex();
  readonly #desired: DesiredServices;
  readonly #ground: Ground;

  constructor(config: ServiceConfig = TEST_CONFIG, ground = GROUND) {
    this.#ground = ground;
    this.#desired = new DesiredServices(
      programsOf(config),
      { service: (name) => this.#services.get(name), slices: (name) => this.#slices.of(name) },
      config,
    );
  }

  put(shape: ServiceShape, endpoints: SliceShape["endpoints"] = [A]): this {
    const service = serviceObject(shape);
    const { name } = service.metadata;
    this.#services.set(`default/${name}`, service);
    const slice: EndpointSlice = sliceObject({ service: name ?? "", endpoints });
    this.#slices.put(slice.metadata.name ?? "", slice);
    return this.look(`default/${name}`);
  }

  remove(name: string): this {
    this.#services.delete(name);
    return this.look(name);
  }

  look(...names: readonly string[]): this {
    this.#desired.update(names, { place: PLACE, ground: this.#ground, check: false });
    return this;
  }

  get problems(): readonly ServiceProblem[] {
    return this.#desired.problems;
  }

  get told(): readonly string[] {
    return this.problems.map(({ service, reason, message }) => `${service} ${reason}: ${message}`);
  }

  count(set: "endpoints" | "sticky-slots" | "frontends"): number {
    const { elements } = this.#desired.update([], { place: PLACE, ground: this.#ground, check: false });
    return elements.get(`4 ${set}`)?.size ?? 0;
  }
}

test("nothing wrong is no problem, and the same value again", () => {
  const bench = new Bench().put({});
  const { problems } = bench;
  assert.deepEqual(problems, []);
  assert.equal(bench.look("default/web").problems, problems);
});

test("an address and port that another service has: the newer one is told, and no more once it has them", () => {
  const shared = { externalIPs: ["192.168.7.1"] };
  const bench = new Bench()
    .put({ ...shared, name: "old", clusterIP: "10.43.0.8", createdAt: "2026-01-01T00:00:00Z" })
    .put({ ...shared, createdAt: "2026-02-02T00:00:00Z" });
  assert.deepEqual(bench.told, [
    "default/web FrontendTaken: 192.168.7.1:80/tcp belongs to service default/old",
  ]);
  assert.equal(bench.count("frontends"), 3);
  assert.deepEqual(bench.remove("default/old").told, []);
});

test("an external address of the node itself meets another service's NodePort", () => {
  const bench = new Bench()
    .put({ name: "old", clusterIP: "10.43.0.8", type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] })
    .put({ createdAt: "2026-02-02T00:00:00Z", externalIPs: [NODE], ports: [{ port: 30080 }] });
  assert.deepEqual(bench.told, [
    "default/web FrontendTaken: 192.168.9.1:30080/tcp belongs to service default/old",
  ]);
});

test("endpoints that nothing can be sent to are left out, the others serve", () => {
  const bad = ["127.0.0.1", "169.254.0.1", "224.0.0.5", "0.0.0.0", "255.255.255.255"];
  const bench = new Bench().put({}, [...bad.map((ip) => ({ ip })), A]);
  assert.deepEqual(bench.told, [
    "default/web EndpointIgnored: Endpoints that nothing can be sent to are left out: 0.0.0.0, 127.0.0.1, 169.254.0.1 and 2 more",
  ]);
  assert.equal(bench.count("endpoints"), 1);
});

test("a port of the node itself stays the node's, and the service's other addresses are served", () => {
  const bench = new Bench({ ...TEST_CONFIG, reservedPorts: [API] }).put({
    externalIPs: [NODE, "192.168.7.1"],
    ports: [{ port: 6443 }],
  });
  assert.deepEqual(bench.told, [
    "default/web PortReserved: Port 6443/tcp of node here is not routed: it is the Kubernetes API",
  ]);
  assert.equal(bench.count("frontends"), 2);
});

test("what another node needs stays that node's, and only there", () => {
  const [server, agent] = ["192.168.9.3", "192.168.9.4"];
  const ground = { ...GROUND, clusterNodes: [server, agent].map(parseIp), servers: [parseIp(server)] };
  const reservedElsewhere = [
    { ...API, of: "servers" } as const,
    { protocol: "tcp", port: 10_250, why: "the node's own API (kubelet)", of: "nodes" } as const,
  ];
  const bench = new Bench({ ...TEST_CONFIG, reservedElsewhere }, ground)
    .put({ externalIPs: [server, agent], ports: [{ port: 6443 }] })
    .put({ name: "kubelet", clusterIP: "10.43.0.8", externalIPs: [agent], ports: [{ port: 10_250 }] });
  assert.deepEqual(bench.told, [
    "default/kubelet PortReserved: Port 10250/tcp at 192.168.9.4, a node's address, is not routed: it is the node's own API (kubelet)",
    "default/web PortReserved: Port 6443/tcp at 192.168.9.3, a node's address, is not routed: it is the Kubernetes API",
  ]);
  assert.equal(bench.count("frontends"), 3);
});

test("an annotation's unknown value is named, and the default taken", () => {
  const annotations = { "service.twill.io/client-address": "hide" };
  assert.deepEqual(new Bench().put({ annotations }).told, [
    'default/web BadAnnotation: Annotation service.twill.io/client-address: "hide" is neither "preserve" nor "masquerade"; taken as "preserve"',
  ]);
});

test("ten thousand endpoints are served with affinity; more than can be told apart are served without", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ ip: `10.42.${(i >> 8) + 1}.${i & 255}` }));
  const bench = new Bench().put({ sessionAffinity: "ClientIP" }, many(10_000));
  assert.deepEqual(bench.told, []);
  assert.equal(bench.count("sticky-slots"), 10_000);
  assert.deepEqual(bench.put({ sessionAffinity: "ClientIP" }, many(16_384)).told, [
    "default/web TooManyAffinityGroups: No session affinity among 16384 endpoints: at most 16383 can be told apart",
  ]);
  assert.equal(bench.count("sticky-slots"), 0);
  assert.equal(bench.count("endpoints"), 16_384);
});

for (const label of ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
  test(`label ${label} takes a service away from here, and gives it back`, () => {
    const bench = new Bench().put({});
    assert.equal(bench.put({ labels: { [label]: "other" } }).count("frontends"), 0);
    assert.equal(bench.put({}).count("frontends"), 1);
  });

test("two problems are one if their words are, whoever tells them", () => {
  const problem: ServiceProblem = { service: "a/b", reason: "FrontendTaken", message: "m" };
  assert.deepEqual(sortedProblems([problem, { ...problem }]), [problem]);
  assert.equal(problemId(problem), problemId({ ...problem }));
  assert.notEqual(problemId(problem), problemId({ ...problem, reason: "EndpointIgnored" }));
  assert.ok(!isOfOneNode(problem) && isOfOneNode({ reason: "PortInUse" }));
});
