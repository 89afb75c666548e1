/** Each case that is told is tried: a real connection, where the server says which client address it saw. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { formatEndpoint, parseIp } from "#addr/ip";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { ServiceConfig } from "../model.ts";
import { connectionsOf } from "../status/connections.ts";
import { Surroundings } from "../surroundings.ts";
import type { Reply } from "../testing/agent.ts";
import { TEST_CONFIG } from "../testing/config.ts";
import { MemoryInformer } from "../testing/memory-informer.ts";
import {
  type EndpointShape,
  nodeObject,
  type ServiceShape,
  serviceObject,
  sliceObject,
  translate,
} from "../testing/objects.ts";
import { type Host, NODE_IP, nodeIp, TestProxy, World } from "../testing/world.ts";
import { explainService } from "./explain.ts";
import { frontendsOf } from "./frontends.ts";
import type { Case, ClientKind } from "./model.ts";

const CLIENT_IP = "192.168.9.2";
const A: EndpointShape = { ip: "10.42.0.2", nodeName: "here" };
const C: EndpointShape = { ip: "10.42.1.2", nodeName: "there" };
const LEAVING = { ready: false, serving: true, terminating: true };
const PORTS = [{ port: 80, nodePort: 30080 }];
const OUTSIDE: ServiceShape = {
  type: "LoadBalancer",
  ports: PORTS,
  externalIPs: ["192.168.7.9"],
  ingress: [{ ip: "192.168.7.7" }],
};
const WAIT = 3000;
/** For what must stay silent: the drop is in force before, so this only bounds how long a wrong answer could take. */
const SILENCE = 300;

interface Sample {
  readonly name: string;
  readonly service: ServiceShape;
  readonly endpoints: readonly EndpointShape[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: Partial<ServiceConfig>;
}

const SAMPLES: readonly Sample[] = [
  { name: "policy Cluster, an endpoint here and one elsewhere", service: OUTSIDE, endpoints: [A, C] },
  { name: "policy Cluster, endpoints elsewhere only", service: OUTSIDE, endpoints: [C] },
  {
    name: "policy Cluster, what is here is leaving",
    service: OUTSIDE,
    endpoints: [{ ...A, conditions: LEAVING }, C],
  },
  {
    name: "asked to masquerade",
    service: OUTSIDE,
    endpoints: [A],
    annotations: { "service.twill.io/client-address": "masquerade" },
  },
  {
    name: "policy Local, an endpoint here and one elsewhere",
    service: { ...OUTSIDE, externalTrafficPolicy: "Local" },
    endpoints: [A, C],
  },
  {
    name: "policy Local, endpoints elsewhere only",
    service: { ...OUTSIDE, externalTrafficPolicy: "Local" },
    endpoints: [C],
  },
  { name: "no endpoints", service: OUTSIDE, endpoints: [] },
  {
    name: "internal policy Local, endpoints elsewhere only",
    service: { ...OUTSIDE, internalTrafficPolicy: "Local" },
    endpoints: [C],
  },
  {
    name: "with session affinity",
    service: { ...OUTSIDE, sessionAffinity: "ClientIP" },
    endpoints: [A, C],
  },
];

const OTHER_CONFIGS: readonly Sample[] = [
  { name: "masquerade-all", service: OUTSIDE, endpoints: [A, C], config: { masqueradeAll: true } },
  {
    name: "pods are not known",
    service: OUTSIDE,
    endpoints: [A, C],
    config: { localPods: { kind: "none" } },
  },
  {
    name: "pods are known by their link",
    service: OUTSIDE,
    endpoints: [A, C],
    config: { localPods: { kind: "interfaces", prefixes: ["to-a", "to-b"] } },
  },
];

let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

/** Who tries it: the client is a stranger, or, where its address is a Node's, another node. */
const HOSTS: Readonly<Record<ClientKind, Host>> = {
  outside: "client",
  "other-node": "client",
  pod: "b",
  "this-node": "node",
};

describe("as configured", () => {
  let proxy: TestProxy;
  before(async () => {
    proxy = new TestProxy(world);
    await proxy.start();
  });
  after(() => stop(proxy));
  for (const sample of SAMPLES) trials(sample, () => proxy);

  for (const family of FAMILIES)
    test(`a connection that stands keeps what is seen of it when its Service changes, IPv${family}`, async () => {
      const nodes = [nodeObject({ name: "here", internalIps: FAMILIES.map(nodeIp) })];
      const sample: Sample = { name: "", service: OUTSIDE, endpoints: [A] };
      const to = { host: translate(NODE_IP, family), port: 30080, waitMs: WAIT };
      await put(sample, family, proxy, nodes);
      const { answer, connection = -1 } = await world.tell("client", { do: "hold", ...to });
      assert.equal(answer, `a ${translate(CLIENT_IP, family)}`);
      const annotations = { "service.twill.io/client-address": "masquerade" };
      await put({ ...sample, annotations }, family, proxy, nodes);
      const next = await world.tell("client", { do: "tcp", ...to });
      assert.equal(next.answer, `a ${translate("10.42.0.1", family)}`);
      const again = await world.tell("client", { do: "say", connection, waitMs: WAIT });
      assert.equal(again.answer, answer);
    });

  for (const family of FAMILIES)
    test(`connections of the moment are listed with what the pod sees, IPv${family}`, async () => {
      const sample = { name: "", service: OUTSIDE, endpoints: [A] };
      const nodes = [nodeObject({ name: "here", internalIps: FAMILIES.map(nodeIp) })];
      const objects = await put(sample, family, proxy, nodes);
      const tries = [
        { host: "client", to: NODE_IP, port: 30080, sees: CLIENT_IP },
        { host: "client", to: "10.43.0.7", port: 80, sees: "10.42.0.1" },
        { host: "b", to: "10.43.0.7", port: 80, sees: "10.42.0.3" },
        { host: "b", to: "192.168.7.7", port: 80, sees: "10.42.0.1" },
        // The endpoint itself.
        { host: "a", to: "10.43.0.7", port: 80, sees: "10.42.0.1" },
      ] as const;
      for (const { host, to, port, sees } of tries) {
        const reply = await world.tell(host, { do: "hold", host: translate(to, family), port, waitMs: WAIT });
        assert.equal(reply.answer, `a ${translate(sees, family)}`, `${host} to ${to}`);
      }
      const here = placeHere(sample, nodes);
      const { listed } = connectionsOf(
        world.net.conntrack,
        frontendsOf(here, { ...objects, config: TEST_CONFIG }),
      );
      for (const { to, port, sees } of tries) {
        const entry = formatEndpoint(parseIp(translate(to, family)), port);
        const seen = listed.filter((each) => each.entry === entry).map(({ seenAs }) => String(seenAs));
        assert.ok(seen.includes(translate(sees, family)), `${entry}: ${seen.join(", ")}`);
      }
      for (const { client, seenAs, isMasqueraded } of listed) assert.equal(isMasqueraded, client !== seenAs);
    });
});

for (const sample of OTHER_CONFIGS)
  describe(sample.name, () => {
    let proxy: TestProxy;
    before(async () => {
      proxy = new TestProxy(world, { ...TEST_CONFIG, ...sample.config });
      await proxy.start();
    });
    after(() => stop(proxy));
    trials(sample, () => proxy);
  });

async function stop(proxy: TestProxy): Promise<void> {
  assert.deepEqual(proxy.faults, []);
  await proxy[Symbol.asyncDispose]();
  world.net.nft.run("delete table ip twill-service\ndelete table ip6 twill-service");
}

function trials(sample: Sample, proxy: () => TestProxy): void {
  for (const family of FAMILIES)
    test(`${sample.name}, IPv${family}: what is told is what is seen`, async () => {
      const nodes = [nodeObject({ name: "here", internalIps: FAMILIES.map(nodeIp) })];
      const objects = await put(sample, family, proxy(), nodes);
      for (const isNode of [false, true]) {
        const there = nodeObject({ name: "there", internalIps: [translate(CLIENT_IP, family)] });
        if (isNode) await proxy().change(() => proxy().nodes.put(there));
        const { cases } = explain(sample, objects, [...nodes, ...(isNode ? [there] : [])]);
        const here = cases.filter(({ nodes }) => nodes.includes("here"));
        const own = here.filter(({ client }) => (client === "other-node") === isNode);
        assert.ok(own.length > 0);
        await Promise.all(own.flatMap((each) => each.entries.map((entry) => tryOut(each, entry, family))));
        if (isNode) await proxy().change(() => proxy().nodes.remove(there));
      }
    });
}

interface Objects {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

async function put(
  sample: Sample,
  family: Family,
  proxy: TestProxy,
  nodes: readonly Node[],
): Promise<Objects> {
  const plain = serviceObject(sample.service, family);
  const service = { ...plain, metadata: { ...plain.metadata, annotations: sample.annotations ?? {} } };
  const slices = [sliceObject({ endpoints: sample.endpoints }, family)];
  await proxy.change(() => {
    for (const node of nodes) proxy.nodes.put(node);
    for (const slice of slices) proxy.slices.put(slice);
    proxy.services.put(service);
  });
  return { service, slices };
}

function explain(sample: Sample, objects: Objects, nodes: readonly Node[]) {
  return explainService({ ...objects, nodes, config: configOf(sample), here: placeHere(sample, nodes) });
}

function configOf({ config }: Sample): ServiceConfig {
  return { ...TEST_CONFIG, ...config };
}

function placeHere(sample: Sample, objects: readonly Node[]) {
  const nodes = new MemoryInformer<Node>();
  for (const node of objects) nodes.put(node);
  const { netlink } = world.net;
  using surroundings = new Surroundings(
    { nodes, netlink, nodeName: "here", config: configOf(sample) },
    () => {},
  );
  return surroundings.place;
}

async function tryOut(told: Case, entry: string, family: Family): Promise<void> {
  const host = HOSTS[told.client];
  const { address, port } = readEntry(entry, family);
  const waitMs = told.outcome === "dropped" ? SILENCE : WAIT;
  const reply = await world.tell(host, { do: "tcp", host: address, port, waitMs });
  check(reply, told, { family, name: `${told.client} to ${entry}: ${told.why}` });
}

/** `10.43.0.7:80/TCP`, or `:30080/TCP` at the node. */
function readEntry(entry: string, family: Family): { address: string; port: number } {
  const [, address = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)\/TCP$/.exec(entry) ?? [];
  return { address: address === "" ? nodeIp(family) : address, port: Number(port) };
}

const OWN_ADDRESS: Readonly<Record<ClientKind, string>> = {
  outside: CLIENT_IP,
  "other-node": CLIENT_IP,
  pod: "10.42.0.3",
  "this-node": NODE_IP,
};
const SERVERS: Readonly<Record<string, string>> = { "10.42.0.2": "a", "10.42.1.2": "c" };

function check(reply: Reply, told: Case, { family, name }: { family: Family; name: string }): void {
  if (told.outcome !== "reaches") {
    assert.deepEqual(reply, { error: told.outcome === "refused" ? "ECONNREFUSED" : "silence" }, name);
    return;
  }
  const [server, seen = ""] = (reply.answer ?? JSON.stringify(reply)).split(" ");
  const nodes = [NODE_IP, "10.42.0.1"].map((ip) => translate(ip, family));
  const expected = told.sees === "node" ? nodes : [translate(OWN_ADDRESS[told.client], family)];
  assert.ok(expected.includes(seen), `${name}: ${server} saw ${seen}, not ${expected.join(" or ")}`);
  const servers = Object.entries(SERVERS)
    .filter(([ip]) => told.endpoints.some((text) => text.includes(translate(ip, family))))
    .map(([, each]) => each);
  assert.ok(servers.includes(server ?? ""), `${name}: ${server} answered, not ${servers.join(" or ")}`);
}
