import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf } from "#addr/cidr";
import { familyOf, type Ip, parseIp } from "#addr/ip";
import { type Mac, parseMac } from "#addr/mac";
import { STRANGERS_KEPT } from "#fabric/guard";
import { readGuardCounters, type Stranger } from "#fabric/guard-counters";
import { nameProgram, renderProgram } from "#fabric/program";
import type { Netns } from "#kernel/kernel";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import {
  behindOptions,
  ethernet,
  fragments,
  handshakeInitiation,
  injectFrames,
  ip,
  Port,
  udp,
  vxlan,
} from "./frames.ts";
import { eventually, type Machine, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const VXLAN_PORT = 8472;
const WIREGUARD_PORT = 51_820;
const FORGED_MAC = parseMac("02:00:00:00:00:99");

const machines = new Machines(`twt-${process.pid}g`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);

/** Two nodes that differ in their guard only, one machine where nothing but the guard's program is, and one that is no node. */
const [guarded, open, bare, stranger] = ["guarded", "open", "bare", "stranger"].map((name) =>
  machines.add(name),
);
assert.ok(guarded && open && bare && stranger);

/** A pod that hears what is sent to its echo. */
class Victim {
  readonly machine: Machine;
  readonly ns: Netns;
  readonly ips: readonly Ip[];
  readonly pod: Pod;
  #asked = 0;

  constructor(pod: Pod, { machine, ns, ips }: Pick<Victim, "machine" | "ns" | "ips">) {
    this.pod = pod;
    this.machine = machine;
    this.ns = ns;
    this.ips = ips;
  }

  /** How many datagrams of others have come by now: what had been let in before is in front of a question to itself. */
  async heardAfter(): Promise<number> {
    for (const ip of this.ips) {
      assert.ok(await this.pod.askUdp(ip));
      this.#asked += 1;
    }
    return (await this.pod.countReceived()) - this.#asked;
  }
}
const victims: Victim[] = [];

const client = openFakeClient();
before(async () => {
  const agents: NodeAgent[] = [];
  for (const [i, machine] of [guarded, open].entries()) {
    await client.create(NODES, nodeObject(machine, i));
    agents.push(stack.use(await startAgent(machine, client, { guard: machine === guarded })));
  }
  await client.create(NODES, nodeObject(bare, 5));
  for (const [i, machine] of [guarded, open].entries()) {
    const { ns, path } = machines.netns(`pod${i}`);
    const added = agents[i]?.network.add({ containerId: `pod${i}`, ifname: "eth0", netns: ns });
    assert.ok(added);
    victims.push(
      new Victim(stack.use(await Pod.start(path)), { machine, ns, ips: added.ips.map(addressOf) }),
    );
  }
  const program = nameProgram({ ports: [VXLAN_PORT, WIREGUARD_PORT], guard: true, masquerade: {} });
  bare.kernel.nft.run(renderProgram(program, [...bare.ips, ...guarded.ips, ...open.ips]));
});

function victim(machine: Machine): Victim {
  const found = victims.find((each) => each.machine === machine);
  assert.ok(found);
  return found;
}

function strangersAt({ kernel }: Machine) {
  const counters = readGuardCounters(kernel.nft);
  assert.ok(counters);
  return counters.strangers;
}

function macOf({ kernel }: Machine, name = "eth0"): Mac {
  const mac = kernel.netlink.findLink(name)?.mac;
  assert.ok(mac);
  return mac;
}

function linkOf({ kernel, ns }: Machine): { ns: Netns; link: number } {
  return { ns, link: kernel.netlink.findLink("eth0")?.index ?? 0 };
}

/** One datagram for a pod's echo, as its own node's tunnel would hand it over. */
function tunnelled(target: Victim, i: number): Uint8Array {
  const to = target.ips[i];
  const family = to && familyOf(to);
  assert.ok(to && family);
  const device = family === 4 ? "flannel.1" : "flannel-v6.1";
  const source = parseIp(family === 4 ? "10.42.9.9" : "fd42:0:0:9::9");
  const inner = ip({ source, to }, udp({ source, to, port: 7, payload: Buffer.from("forged") }));
  return vxlan(1, ethernet(FORGED_MAC, macOf(target.machine, device), inner));
}

for (const i of [0, 1] as const)
  test(`a stranger's forged tunnel packet reaches a pod where the guard is off only, IPv${i === 0 ? 4 : 6}`, async () => {
    for (const machine of [open, guarded]) {
      const target = victim(machine);
      const [source, to]: readonly (Ip | undefined)[] = [stranger.ips[i], machine.ips[i]];
      assert.ok(source && to);
      const heard = await target.heardAfter();
      const seen = strangersAt(machine).total.packets;
      const packet = ip({ source, to }, udp({ source, to, port: VXLAN_PORT, payload: tunnelled(target, i) }));
      injectFrames(stranger.kernel, linkOf(stranger), [ethernet(macOf(stranger), macOf(machine), packet)]);
      const now = await eventually("it is counted", () => {
        const strangers = strangersAt(machine);
        return strangers.total.packets > seen && strangers;
      });
      assert.equal(now.total.packets, seen + 1);
      const listed: Stranger | undefined = now.listed.find((each) => each.ip === source);
      assert.deepEqual([listed?.packets, listed?.bytes], [1, packet.length]);
      assert.ok((listed?.lastMs ?? 60_000) < 60_000);
      const expected: number = heard + (machine === open ? 1 : 0);
      assert.equal(await target.heardAfter(), expected, machine.name);
    }
  });

test("a pod cannot reach another node's tunnel, where it would look like its own node", async () => {
  for (const [from, target] of [
    [victim(guarded), victim(open)],
    [victim(open), victim(guarded)],
  ] as const) {
    const { machine } = from;
    const before = strangersAt(machine).total.packets;
    const heard = await target.heardAfter();
    for (const i of [0, 1] as const) {
      const to = target.machine.ips[i];
      // From its own address, and from one that it has taken from a node.
      const frames = [from.ips[i], bare.ips[i]].map((source) => {
        assert.ok(source);
        const packet = ip(
          { source, to },
          udp({ source, to, port: VXLAN_PORT, payload: tunnelled(target, i) }),
        );
        return ethernet(FORGED_MAC, macOf(machine, "cni0"), packet);
      });
      using inPod = machine.kernel.openIn(from.ns);
      const link = inPod.netlink.findLink("eth0")?.index ?? 0;
      injectFrames(machine.kernel, { ns: from.ns, link }, frames);
    }
    const seen = await eventually("all are counted where they were sent", () => {
      const strangers = strangersAt(machine);
      return strangers.total.packets >= before + 4 && strangers;
    });
    for (const address of [...from.ips, ...bare.ips])
      assert.ok(
        seen.listed.some((each) => each.ip === address),
        address,
      );
    // The other way around: it is the pod's own node that must keep it in.
    const came = (await target.heardAfter()) - heard;
    if (machine === guarded) assert.equal(came, 0);
    else assert.ok(came > 0, "masqueraded, it is taken for its node");
  }
});

const SHAPES: readonly {
  readonly name: string;
  readonly family: 4 | 6;
  readonly make: (from: { source: Ip; to: Ip }, bytes: Uint8Array) => readonly Uint8Array[];
}[] = [
  { name: "IPv4", family: 4, make: (of, payload) => [ip(of, udp({ ...of, port: WIREGUARD_PORT, payload }))] },
  { name: "IPv6", family: 6, make: (of, payload) => [ip(of, udp({ ...of, port: WIREGUARD_PORT, payload }))] },
  {
    name: "IPv6 behind options",
    family: 6,
    make: (of, payload) => [ip(of, behindOptions(udp({ ...of, port: WIREGUARD_PORT, payload })))],
  },
  {
    name: "fragments of IPv4",
    family: 4,
    make: (of, payload) => fragments(of, udp({ ...of, port: WIREGUARD_PORT, payload }), 64),
  },
  {
    name: "fragments of IPv6",
    family: 6,
    make: (of, payload) => fragments(of, udp({ ...of, port: WIREGUARD_PORT, payload }), 64),
  },
  {
    name: "a fragment of IPv6 that is whole",
    family: 6,
    make: (of, payload) => fragments(of, udp({ ...of, port: WIREGUARD_PORT, payload }), 1400),
  },
  {
    name: "fragments of IPv6 backwards",
    family: 6,
    make: (of, payload) => fragments(of, udp({ ...of, port: WIREGUARD_PORT, payload }), 64).toReversed(),
  },
];

for (const { name, family, make } of SHAPES)
  test(`a handshake is taken from a node and not from a stranger: ${name}`, async () => {
    using port = new Port(bare.kernel, bare.ns, WIREGUARD_PORT);
    const i = family === 4 ? 0 : 1;
    const to = bare.ips[i];
    const send = (from: Machine): void => {
      const source = from.ips[i];
      assert.ok(source);
      const frames = make({ source, to }, handshakeInitiation());
      injectFrames(
        from.kernel,
        linkOf(from),
        frames.map((packet) => ethernet(macOf(from), macOf(bare), packet)),
      );
    };
    const before = strangersAt(bare).total.packets;
    send(stranger);
    await eventually("it is counted", () => strangersAt(bare).total.packets > before);
    send(guarded);
    assert.equal(await eventually("the node's comes", () => port.take()), handshakeInitiation().length);
    assert.equal(port.take(), undefined, "nothing else came");
    assert.equal(strangersAt(bare).total.packets, before + 1);
  });

test("an upper layer that only the second fragment shows is not taken in either", async () => {
  using port = new Port(bare.kernel, bare.ns, WIREGUARD_PORT);
  const [source, to] = [stranger.ips[1], bare.ips[1]];
  const hidden = behindOptions(udp({ source, to, port: WIREGUARD_PORT, payload: handshakeInitiation() }));
  const frames = fragments({ source, to }, hidden, 8);
  injectFrames(
    stranger.kernel,
    linkOf(stranger),
    frames.map((packet) => ethernet(macOf(stranger), macOf(bare), packet)),
  );
  const node = guarded.ips[1];
  const plain = ip(
    { source: node, to },
    udp({ source: node, to, port: WIREGUARD_PORT, payload: Buffer.from("1") }),
  );
  injectFrames(guarded.kernel, linkOf(guarded), [ethernet(macOf(guarded), macOf(bare), plain)]);
  assert.equal(await eventually("what came later comes", () => port.take()), 1);
  assert.equal(port.take(), undefined);
});

test("whoever a service leads to another node's tunnel is a stranger, node or not", async () => {
  const { nft, sysctl } = bare.kernel;
  const [source, to, behind] = [guarded.ips[0], bare.ips[0], open.ips[0]];
  sysctl.write("net.ipv4.ip_forward", 1);
  nft.run(`add table ip service
    add chain ip service pre { type nat hook prerouting priority -100; }
    add rule ip service pre udp dport 30080 dnat to ${behind}:${VXLAN_PORT}`);
  const before = strangersAt(bare).total.packets;
  const packet = ip({ source, to }, udp({ source, to, port: 30_080, payload: Buffer.from("forged") }));
  injectFrames(guarded.kernel, linkOf(guarded), [ethernet(macOf(guarded), macOf(bare), packet)]);
  await eventually("it is counted where it was led on", () => strangersAt(bare).total.packets > before);
});

test("a flood of forged addresses is counted and dropped whole, and listed up to a bound", async () => {
  using port = new Port(bare.kernel, bare.ns, WIREGUARD_PORT);
  const before = strangersAt(bare).total.packets;
  const crowd = STRANGERS_KEPT + 100;
  const to = bare.ips[0];
  const frames = Array.from({ length: crowd }, (_, i) => {
    const source = parseIp(`198.18.${i >> 8}.${i & 255}`);
    const packet = ip({ source, to }, udp({ source, to, port: WIREGUARD_PORT, payload: Buffer.from("1") }));
    return ethernet(macOf(stranger), macOf(bare), packet);
  });
  injectFrames(stranger.kernel, linkOf(stranger), frames);
  const seen = await eventually("all are counted", () => {
    const strangers = strangersAt(bare);
    return strangers.total.packets >= before + crowd && strangers;
  });
  assert.ok(seen.isFull);
  assert.equal(seen.listed.filter(({ ip }) => familyOf(ip) === 4).length, STRANGERS_KEPT);
  assert.equal(port.take(), undefined);
});

test("the node itself is a node", async () => {
  using port = new Port(bare.kernel, bare.ns, WIREGUARD_PORT);
  const program = stack.use(await Pod.start(bare.path));
  for (const to of bare.ips) {
    void program.askUdp(to, { port: WIREGUARD_PORT });
    await eventually("it comes", () => port.take());
  }
});

test("nodes' packets are counted by node, and stay counted when others come and go", async () => {
  const [a, b] = [victim(guarded), victim(open)];
  const counted = () => {
    const counters = readGuardCounters(guarded.kernel.nft);
    assert.ok(counters);
    return open.ips.map((address) => counters.received.get(address)?.packets ?? -1);
  };
  const before = counted();
  for (const to of b.ips) assert.ok(await a.pod.askUdp(to));
  const after = counted();
  for (const [i, packets] of after.entries())
    assert.ok(packets > (before[i] ?? 0), `${before} then ${after}`);
  const members = () => readGuardCounters(guarded.kernel.nft)?.received;
  const joining = stranger.ips[0];
  await client.create(NODES, nodeObject(stranger, 7));
  await eventually("a node is a member before it says anything", () => members()?.has(joining));
  await client.delete(NODES, { name: stranger.name });
  await eventually("and none when it is gone", () => members()?.has(joining) === false);
  // Neighbours may have asked each other meanwhile.
  for (const [i, packets] of counted().entries())
    assert.ok(packets >= (after[i] ?? 0), `${after} then ${counted()}`);
});
