/** Packets for pods of a node that there is no way to: under a tunnel they never leave, and who sent them hears of it at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf } from "#addr/ip";
import { HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { eventually, type Machine } from "./machines.ts";
import { startAgent } from "./node-agent.ts";
import { Rig, type RigPod } from "./rig.ts";

/** Of no node, with what somebody is told who connects to a pod there. */
const UNKNOWN = [
  ["10.42.77.7", "EHOSTUNREACH"],
  ["fd42:0:0:4d::7", "ENETUNREACH"],
] as const;
const DEFAULTS = { 4: parseCidr("0.0.0.0/0"), 6: parseCidr("::/0") };

/** Leads all else to `router`, and counts what leaves the machine for the unknown pods, whatever source it has by then. */
function watch({ kernel }: Machine, router: Machine): () => number {
  const link = kernel.netlink.findLink("eth0")?.index ?? 0;
  for (const via of router.ips)
    kernel.netlink.replaceRoute({ to: DEFAULTS[familyOf(via)], via, link, protocol: 4 });
  kernel.nft.run(`table inet twt-leaks {
    chain out {
      type filter hook postrouting priority 300;
      oifname eth0 ip daddr 10.42.77.0/24 counter name leaks
      oifname eth0 ip6 daddr fd42:0:0:4d::/64 counter name leaks
    }
    counter leaks {}
  }`);
  return () => Number(/packets (\d+)/.exec(kernel.nft.list("list counters table inet twt-leaks"))?.[1]);
}

function deadEnds({ kernel }: Machine): readonly string[] {
  return FAMILIES.flatMap((family) => kernel.netlink.listRoutes(family)).flatMap(({ kind, to }) =>
    kind ? [to] : [],
  );
}

async function untilReceived({ program }: RigPod, count: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await program.countReceived()) < count) assert.ok(Date.now() < deadline, "the stream never came");
}

for (const backend of [VXLAN, WIREGUARD])
  test(`under ${backend.kind} nothing leaves for pods of no node, and nobody else's is dropped`, async () => {
    await using rig = new Rig({ label: "de", families: FAMILIES });
    const [router, machine] = ["two", "one"].map((name) => rig.addMachine(name));
    assert.ok(router && machine);
    // Strict: a packet whose sender there is no route to would be dropped on its way in.
    for (const { kernel } of [router, machine]) kernel.sysctl.write("net/ipv4/conf/all/rp_filter", "1");
    const leaks = watch(machine, router);
    const [two, one] = [
      await rig.addNode("two", backend, router),
      await rig.addNode("one", backend, machine),
    ];
    await rig.converge();
    const [pod, far] = [await rig.addPod(one, "a"), await rig.addPod(two, "b")];
    const itself = await rig.addProgram(machine);
    for (const ip of far.ips.values()) assert.equal(await pod.program.knockTcp(ip), "connected", ip);
    for (const [to, code] of UNKNOWN) {
      // In IPv6 the answer comes while the kernel is still sending, so it is the one to the second try that counts.
      assert.equal(await pod.program.knockTcp(to), code);
      assert.ok(["EHOSTUNREACH", "ENETUNREACH"].includes(await itself.program.knockTcp(to)), to);
      assert.equal(await pod.program.askUdp(to, { patienceMs: 50 }), undefined);
    }
    assert.equal(leaks(), 0);
    assert.equal(deadEnds(machine).length, 2);

    // And a node that comes later is heard from its first packet on.
    const three = await rig.addNode("three", backend);
    await rig.converge();
    const late = await rig.addPod(three, "c");
    const before = await pod.program.countReceived();
    const [ip = ""] = pod.ips.values();
    await late.program.startStream(ip, 1);
    await untilReceived(pod, before + 20);
    assert.deepEqual((await late.program.stopStream()).lost, []);

    // A router may know pods' networks: with host-gw it is asked.
    await one.agent[Symbol.asyncDispose]();
    assert.equal(deadEnds(machine).length, 2);
    await using _ = await startAgent(machine, rig.client, { backend: HOST_GW });
    await eventually("dead ends are gone", () => deadEnds(machine).length === 0);
    for (const [to] of UNKNOWN) await pod.program.askUdp(to, { patienceMs: 50 });
    assert.ok(leaks() >= 2, "what leaves is counted");
  });
