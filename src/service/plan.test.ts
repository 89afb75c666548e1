import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { parseIp } from "#addr/ip";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { chainText } from "./chains.ts";
import { DesiredServices, programsOf } from "./controller.ts";
import type { Ground, Place, ServiceState } from "./model.ts";
import { planServices } from "./plan.ts";
import { programOf } from "./program.ts";
import { renderServices } from "./render.ts";
import { SliceIndex } from "./slice-index.ts";
import { TEST_CONFIG as CONFIG } from "./testing/config.ts";
import {
  type ServiceShape,
  type SliceShape,
  serviceObject,
  sliceObject,
  translate,
} from "./testing/objects.ts";

const NOTHING: ServiceState = { programs: {}, chains: new Set(), elements: new Map() };
const GROUND: Ground = { clusterNodes: [], servers: [], serviceCidrs: [], podCidrs: [] };
const PROGRAMS = programsOf(CONFIG);

/** Services and slices put by hand, and what the kernel would be told. */
class Bench {
  readonly #services = new Map<string, Service>();
  readonly #slices = new SliceIndex();
  readonly #desired: DesiredServices;
  readonly #place: Place;
  readonly #family: Family;
  known: ServiceState;

  constructor(family: Family, known?: ServiceState) {
    this.#family = family;
    const nodeIp = parseIp(translate("192.168.9.1", family));
    this.#place = {
      nodeName: "here",
      zone: undefined,
      localIps: [nodeIp],
      nodeIps: [nodeIp],
      nodePortIps: [nodeIp],
    };
    const hashes = Object.fromEntries([...PROGRAMS].map(([of, { hash }]) => [of, hash]));
    const chains = [...PROGRAMS].flatMap(([of, program]) => program.chains.map((name) => `${of} ${name}`));
    this.known = known ?? { programs: hashes, chains: new Set(chains), elements: new Map(), revision: 0 };
    this.#desired = new DesiredServices(PROGRAMS, {
      service: (name) => this.#services.get(name),
      slices: (name) => this.#slices.of(name),
    });
  }

  put(service: ServiceShape, ...slices: readonly SliceShape[]): this {
    const object = serviceObject(service, this.#family);
    this.#services.set(`default/${object.metadata.name}`, object);
    for (const shape of slices) this.slice(shape);
    return this;
  }

  slice(shape: SliceShape): this {
    const slice: EndpointSlice = sliceObject(shape, this.#family);
    this.#slices.put(slice.metadata.name ?? "", slice);
    return this;
  }

  remove(name: string): this {
    this.#services.delete(`default/${name}`);
    return this;
  }

  /** The plan for the named services as text, in IPv4 words. What it leads to is known from then on. */
  plan(...names: readonly string[]): string {
    return this.#plan(names, false);
  }

  /** The same at the slow look after everything. */
  check(): string {
    return this.#plan([], true);
  }

  #plan(names: readonly string[], check: boolean): string {
    const full = names.map((name) => `default/${name}`);
    const want = this.#desired.update(full, { place: this.#place, ground: GROUND, check });
    const ops = planServices(want, this.known, { programs: PROGRAMS, config: CONFIG });
    const elements = ops.find((op) => op.op === "elements");
    if (elements) this.known = { ...this.known, revision: elements.revision };
    return renderServices(ops);
  }
}

const here = { nodeName: "here" };
const there = { nodeName: "there" };
const A = { ip: "10.42.0.2", ...here };
const B = { ip: "10.42.0.3", ...here };
const C = { ip: "10.42.1.2", ...there };
const nodePort = { type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] };
const udp = {
  ports: [{ name: "dns", port: 53, protocol: "UDP" }],
};
const udpSlice = [{ name: "dns", port: 5353, protocol: "UDP" }];

interface Case {
  readonly name: string;
  readonly service: ServiceShape;
  readonly endpoints: SliceShape["endpoints"];
  readonly ports?: SliceShape["ports"];
}

const cases: readonly Case[] = [
  { name: "cluster-ip", service: {}, endpoints: [A, C] },
  { name: "no-endpoints", service: nodePort, endpoints: [] },
  { name: "node-port", service: nodePort, endpoints: [C] },
  { name: "external-local", service: { ...nodePort, externalTrafficPolicy: "Local" }, endpoints: [A, C] },
  {
    name: "external-local-none-here",
    service: { ...nodePort, externalTrafficPolicy: "Local" },
    endpoints: [C],
  },
  { name: "internal-local", service: { internalTrafficPolicy: "Local" }, endpoints: [A, C] },
  { name: "internal-local-none-here", service: { internalTrafficPolicy: "Local" }, endpoints: [C] },
  {
    name: "load-balancer",
    service: {
      ...nodePort,
      type: "LoadBalancer",
      externalIPs: ["192.168.7.1"],
      loadBalancerSourceRanges: [" 192.168.5.0/24", "192.168.9.0/24", "not a range"],
      ingress: [
        { ip: "192.168.7.2" },
        { ip: "192.168.7.3", ipMode: "VIP" },
        { ip: "192.168.7.4", ipMode: "Proxy" },
        { hostname: "lb.example.com" },
      ],
    },
    endpoints: [C],
  },
  {
    name: "affinity",
    service: {
      ...nodePort,
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    },
    endpoints: [A, C],
  },
  { name: "udp", service: udp, endpoints: [A, C], ports: udpSlice },
  {
    name: "nine-endpoints",
    service: {},
    endpoints: Array.from({ length: 9 }, (_, i) => ({ ip: `10.42.1.${i + 1}`, ...there })),
  },
];

for (const family of FAMILIES)
  for (const { name, service, endpoints, ports } of cases)
    test(`plan of a new service: ${name}, IPv${family}`, (t) => {
      const bench = new Bench(family).put(service, { endpoints, ...(ports ? { ports } : {}) });
      golden(t, bench.plan("web"), `${name}-ipv${family}.nft`);
    });

for (const family of FAMILIES)
  test(`the program and its chains with affinity, IPv${family}`, (t) => {
    const more = [chainText("outside-9", family, CONFIG), chainText("inside-2-10800", family, CONFIG)];
    golden(t, [programOf(family, CONFIG).text, ...more].join("\n"), `program-ipv${family}.nft`);
  });

const ignored: readonly (readonly [name: string, shape: ServiceShape])[] = [
  ["headless", { clusterIP: "None" }],
  ["without an address yet", { clusterIP: "" }],
  ["an ExternalName", { type: "ExternalName", clusterIP: "" }],
  ["another proxy's", { labels: { "service.kubernetes.io/service-proxy-name": "other" } }],
  ["headless by label", { labels: { "service.kubernetes.io/headless": "" } }],
];

for (const [name, shape] of ignored)
  test(`a service that is ${name} is not routed`, () => {
    assert.equal(new Bench(4).put(shape, { endpoints: [A] }).plan("web"), "");
  });

test("the other family's address is not this family's business", () => {
  const bench = new Bench(4).put({ clusterIPs: ["fd43::7"], clusterIP: "fd43::7" }, { endpoints: [A] });
  assert.doesNotMatch(bench.plan("web"), /ip twill-service/);
});

test("nothing new is nothing to do", () => {
  const bench = new Bench(4).put({}, { endpoints: [A, B] });
  bench.plan("web");
  assert.equal(bench.plan("web"), "");
});

test("a replaced endpoint is one element deleted and one added", () => {
  const bench = new Bench(4).put({}, { endpoints: [B, C] });
  bench.plan("web");
  bench.slice({ endpoints: [B, { ip: "10.42.1.9", ...there }] });
  assert.equal(
    bench.plan("web"),
    "delete element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 1 }\n" +
      "add element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 1 : 10.42.1.9 . 8080 }\n",
  );
});

test("endpoints keep their numbers: one that comes or goes costs what it is", () => {
  const [C2, C3] = [
    { ip: "10.42.1.3", ...there },
    { ip: "10.42.1.1", ...there },
  ];
  const bench = new Bench(4).put({}, { endpoints: [C, C2] });
  bench.plan("web");
  const changes = (plan: string) => plan.match(/^(add|delete) element .* endpoints \{.*$/gm);
  assert.deepEqual(changes(bench.slice({ endpoints: [C, C2, C3] }).plan("web")), [
    "add element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 2 : 10.42.1.1 . 8080 }",
  ]);
  assert.deepEqual(changes(bench.slice({ endpoints: [C2, C3] }).plan("web")), [
    "delete element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 0 }",
    "delete element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 2 }",
    "add element ip twill-service endpoints { 10.43.0.7 . tcp . 80 . 0 : 10.42.1.1 . 8080 }",
  ]);
});

test("UDP connections are looked through for an endpoint that goes or is the first, not for one more", () => {
  const bench = new Bench(4).put(udp, { ports: udpSlice, endpoints: [A] });
  const looks = (...endpoints: SliceShape["endpoints"]) =>
    /^# forget UDP to 10\.43\.0\.7 \. 53 not answered by (.*)$/m.exec(
      bench.slice({ ports: udpSlice, endpoints }).plan("web"),
    )?.[1];
  assert.equal(looks(A), `${A.ip} . 5353`);
  assert.equal(looks(A, B), undefined);
  assert.equal(looks(B), `${B.ip} . 5353`);
  assert.equal(looks(), undefined);
  assert.equal(looks(C), `${C.ip} . 5353`);
});

test("an endpoint that two services share may reach itself as long as one of them has it, and a while longer", () => {
  const other = { name: "other", clusterIP: "10.43.0.8" };
  const bench = new Bench(4).put({}, { endpoints: [A] }).put(other, { service: "other", endpoints: [A] });
  assert.equal(bench.plan("web", "other").match(/ hairpin /g)?.length, 1);
  assert.doesNotMatch(bench.remove("web").plan("web"), /hairpin/);
  assert.doesNotMatch(bench.remove("other").plan("other"), /hairpin/);
  assert.doesNotMatch(bench.check(), /hairpin/);
  assert.match(bench.check(), /^delete element ip twill-service hairpin/m);
});

test("two services on one external address: the older one has it, and the other takes over", () => {
  const external = (name: string, createdAt: string, clusterIP: string) => ({
    name,
    createdAt,
    clusterIP,
    externalIPs: ["192.168.7.1"],
  });
  const bench = new Bench(4)
    .put(external("web", "2026-02-02T00:00:00Z", "10.43.0.7"), { endpoints: [A] })
    .put(external("old", "2026-01-01T00:00:00Z", "10.43.0.8"), { service: "old", endpoints: [C] });
  assert.match(bench.plan("web", "old"), /endpoints \{ 192\.168\.7\.1 \. tcp \. 80 \. 0 : 10\.42\.1\.2/);
  const handed = bench.remove("old").plan("old");
  assert.match(handed, /add element .* endpoints \{ 192\.168\.7\.1 \. tcp \. 80 \. 0 : 10\.42\.0\.2/);
  assert.doesNotMatch(handed, /delete .* frontends \{ 192\.168\.7\.1/, "it never stops answering");
});

test("no external address takes a ClusterIP over", () => {
  const bench = new Bench(4)
    .put({
      name: "thief",
      createdAt: "2020-01-01T00:00:00Z",
      clusterIP: "10.43.0.9",
      externalIPs: ["10.43.0.7"],
    })
    .put({}, { endpoints: [A] })
    .slice({ service: "thief", endpoints: [C] });
  assert.match(bench.plan("thief", "web"), /endpoints \{ 10\.43\.0\.7 \. tcp \. 80 \. 0 : 10\.42\.0\.2/);
});

test("without a program the program comes first; over another one it brings its elements along", () => {
  const put = (known: ServiceState) => new Bench(4, known).put({}, { endpoints: [A] }).plan("web");
  const fresh = put(NOTHING);
  assert.ok(
    fresh.indexOf("table ip twill-service {") < fresh.indexOf("add element ip twill-service frontends"),
  );
  const replaced = put({ ...NOTHING, programs: { 4: "0xdeadbeef", 6: "0xdeadbeef" } });
  const first = replaced.slice(0, replaced.indexOf("add table ip6"));
  assert.match(
    first,
    /^add table ip twill-service\ndelete table ip twill-service\ntable ip twill-service \{/,
  );
  assert.match(
    first,
    /add element ip twill-service frontends \{ 10\.43\.0\.7 \. tcp \. 80 : goto inside-1 \}/,
  );
  assert.equal(replaced.match(/add element ip twill-service frontends/g)?.length, 1, "once");
});

function golden(t: import("node:test").TestContext, text: string, file: string): void {
  t.assert.fileSnapshot(text, `${import.meta.dirname}/testdata/${file}`, { serializers: [(value) => value] });
}
