/** A node's addresses change, come and come late while it runs: its pods are reached again, in both families. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { addressOf, type IpPrefix, parseIpPrefix } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { type FabricBackend, HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { CLAIMS } from "#kernel/claims";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import type { Live } from "#life/live";
import { silentLog } from "#telemetry/log";
import { findNodeIps } from "../../src/app/node-address.ts";
import { followNodeIps } from "../../src/app/node-ips.ts";
import { CLUSTER, eventually, type Machine, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const OLD = { 4: parseIpPrefix("192.0.2.11/24"), 6: parseIpPrefix("2001:db8:1::b/64") };
const NEW = { 4: parseIpPrefix("192.0.2.211/24"), 6: parseIpPrefix("2001:db8:1::d3/64") };
const NETWORKS = { clusterCidrs: CLUSTER, serviceCidrs: [] };

/** A machine whose agent goes by whatever eth0 has. */
class Mover {
  readonly machine: Machine;
  readonly nodeIps: Live<readonly Ip[]>;
  readonly #eth0: number;

  constructor(machine: Machine, signal: AbortSignal) {
    this.machine = machine;
    const kernel = machine.agentKernel;
    // As systemd has it: an address does not take those of its network along that came after it.
    machine.kernel.sysctl.write("net/ipv4/conf/eth0/promote_secondaries", 1);
    const node = {
      ips: undefined,
      fabric: { iface: "eth0", guard: true, netConf: undefined, cniConf: undefined },
    };
    const first = findNodeIps(kernel.netlink, { iface: "eth0" });
    this.nodeIps = followNodeIps(first, { kernel, node, networks: NETWORKS, log: silentLog, signal });
    this.#eth0 = machine.kernel.netlink.findLink("eth0")?.index ?? 0;
  }

  /** What the peers are told. */
  get host() {
    return { ...this.machine, families: FAMILIES };
  }

  add(address: IpPrefix): void {
    this.machine.kernel.netlink.addAddress(this.#eth0, address, { noDad: true });
  }

  remove(address: IpPrefix): void {
    this.machine.kernel.netlink.deleteAddress(this.#eth0, address);
  }
}

class Cluster implements AsyncDisposable {
  readonly client = openFakeClient();
  readonly machines: Machines;
  readonly #stack = new AsyncDisposableStack();
  readonly #stop = new AbortController();
  readonly #backend: FabricBackend;

  constructor(backend: FabricBackend, label: string) {
    this.#backend = backend;
    this.machines = this.#stack.use(new Machines(`twt-${process.pid}-mv${label}`));
    this.#stack.defer(() => this.#stop.abort(new Error("over")));
  }

  mover(name: string, families: readonly Family[] = FAMILIES): Mover {
    return new Mover(this.machines.add(name, { families }), this.#stop.signal);
  }

  async start({ host, nodeIps }: Mover, number: number): Promise<NodeAgent> {
    await this.client.create(NODES, nodeObject(host, number));
    return this.#stack.use(await startAgent(host, this.client, { backend: this.#backend, nodeIps }));
  }

  async pod(agent: NodeAgent, name: string) {
    const { ns, path } = this.machines.netns(name);
    const { ips } = agent.network.add({ containerId: name, ifname: "eth0", netns: ns });
    return { program: this.#stack.use(await Pod.start(path)), ips: ips.map(addressOf) };
  }

  async announced(name: string): Promise<string> {
    const { metadata } = await this.client.get(NODES, { name });
    return JSON.stringify(metadata.annotations);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

type Talker = Awaited<ReturnType<Cluster["pod"]>>;

/** Resolves once both have an answer from each other, in both families. @returns after how long */
async function talk(a: Talker, b: Talker): Promise<number> {
  const start = performance.now();
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    for (const [i, ip] of to.ips.entries()) {
      let seen: unknown;
      while (seen !== from.ips[i]) {
        assert.ok(performance.now() - start < 20_000, `${ip} answers ${from.ips[i]}`);
        seen = await from.program.askUdp(ip, { patienceMs: 100 });
      }
    }
  return performance.now() - start;
}

for (const backend of [VXLAN, HOST_GW, WIREGUARD])
  describe(`with ${backend.kind}`, () => {
    const cluster = new Cluster(backend, backend.kind.slice(0, 2));
    after(() => cluster[Symbol.asyncDispose]());
    let one: Mover;
    let a: Talker;
    let b: Talker;
    let agent: NodeAgent;

    before(async () => {
      one = cluster.mover("one");
      agent = await cluster.start(one, 0);
      a = await cluster.pod(agent, "a");
      b = await cluster.pod(await cluster.start(cluster.mover("two"), 1), "b");
      await talk(a, b);
    });

    test("a second address changes nothing", async () => {
      const said = await cluster.announced("one");
      for (const family of FAMILIES) one.add(NEW[family]);
      await talk(a, b);
      assert.deepEqual(
        one.nodeIps.current,
        FAMILIES.map((family) => addressOf(OLD[family])),
      );
      assert.equal(await cluster.announced("one"), said);
    });

    test("when the first one goes, the second takes its place", async (t) => {
      const { netlink } = one.machine.kernel;
      const device = () => FAMILIES.map((family) => netlink.findLink(CLAIMS.devices.vxlan[family])?.index);
      const before = device();
      for (const family of FAMILIES) one.remove(OLD[family]);
      let said = "";
      for (const start = performance.now(); !isSaid(said, NEW) || isSaid(said, OLD); ) {
        assert.ok(performance.now() - start < 20_000, said);
        await new Promise((resolve) => setTimeout(resolve, 5));
        said = await cluster.announced("one");
      }
      t.diagnostic(`told, and pods talk again after ${(await talk(a, b)).toFixed(0)} ms more`);
      // The same devices, with all that is on them.
      assert.deepEqual(device(), before);
    });

    test("an address that is away for a moment takes nothing along", async () => {
      const said = await cluster.announced("one");
      const looks = agent.rounds.length;
      one.remove(NEW[4]);
      await eventually("it is missed", () => agent.rounds.length > looks);
      one.add(NEW[4]);
      await talk(a, b);
      assert.equal(await cluster.announced("one"), said);
    });
  });

test("IPv6 that comes late is waited for", async () => {
  await using cluster = new Cluster(VXLAN, "late");
  const two = await cluster.start(cluster.mover("two"), 1);
  const late = cluster.mover("late", [4]);
  const started = cluster.start(late, 0);
  await eventually("its IPv4 address is known", () => late.nodeIps.current.length === 1);
  late.add(parseIpPrefix("2001:db8:1::c/64"));
  const agent = await started;
  assert.deepEqual(late.nodeIps.current.map(familyOf), [4, 6]);
  await talk(await cluster.pod(agent, "c"), await cluster.pod(two, "d"));
});

/** Whether it names all of them. */
function isSaid(said: string, addresses: typeof OLD): boolean {
  return FAMILIES.every((family) => said.includes(`"${addressOf(addresses[family])}"`));
}
