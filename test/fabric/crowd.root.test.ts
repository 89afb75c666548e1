/** Five hundred nodes that join at once, and leave at once. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cidrFamily, containsIp, ipPrefixOf, nthIp, parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { isIp } from "#addr/ip";
import { type FabricBackend, HOST_GW, VXLAN } from "#fabric/model";
import { NODES } from "#kube/resources";
import { becomes, type Listing, listingOf, listKernel, type PaperNode, paperNode } from "./kernel-listing.ts";
import { Rig, type RigNode } from "./rig.ts";

const CROWD = 500;
const CLUSTER = [parseCidr("10.32.0.0/12"), parseCidr("fd42::/48")];
/** Where the crowd lives: on the cable too, beside the machines' own networks. */
const CROWDS_LAN = { 4: parseCidr("198.18.0.0/15"), 6: parseCidr("2001:db8:2::/64") };

for (const backend of [VXLAN, HOST_GW]) describe(`${CROWD} nodes, ${backend.kind}`, () => testCrowd(backend));

function testCrowd(backend: FabricBackend): void {
  const rig = new Rig({ label: `cr${backend.kind.slice(0, 2)}`, families: FAMILIES, cluster: CLUSTER });
  after(() => rig[Symbol.asyncDispose]());
  let one: RigNode;
  const crowd = Array.from({ length: CROWD }, (_, i) => paper(i + 1, backend));

  before(async () => {
    const machine = rig.addMachine("one");
    const { netlink } = machine.kernel;
    const eth0 = netlink.findLink("eth0")?.index ?? 0;
    for (const family of FAMILIES) {
      const lan = CROWDS_LAN[family];
      const length = Number(lan.split("/")[1]);
      netlink.addAddress(eth0, ipPrefixOf(nthIp(lan, 1), length), { noDad: true });
    }
    one = await rig.addNode("one", backend, machine);
  });

  const timed = async (want: Listing) => {
    const start = performance.now();
    await becomes(() => listKernel(one.machine.path, isPodNetwork), want);
    return performance.now() - start;
  };

  test("join: the kernel holds exactly what leads to them", async (t) => {
    await Promise.all(crowd.map((node) => rig.client.create(NODES, paperNode(node))));
    const tookMs = await timed(listingOf(crowd, one.machine.ips));
    const ops = one.agent.rounds.reduce((sum, round) => sum + round.ops, 0);
    t.diagnostic(`${ops} operations in ${one.agent.rounds.length} rounds, ${tookMs.toFixed(0)} ms`);
    assert.deepEqual(
      one.agent.rounds.flatMap(({ faults }) => faults),
      [],
    );
  });

  test("leave: nothing is left", async (t) => {
    await Promise.all(crowd.map(({ name }) => rig.client.delete(NODES, { name })));
    const tookMs = await timed(listingOf([], one.machine.ips));
    t.diagnostic(`${tookMs.toFixed(0)} ms`);
  });
}

function paper(number: number, { kind }: FabricBackend): PaperNode {
  const hex = number.toString(16).padStart(4, "0");
  const mac = (family: number) => `02:00:0${family}:00:${hex.slice(0, 2)}:${hex.slice(2)}`;
  const ips = [nthIp(CROWDS_LAN[4], 1_000 + number), nthIp(CROWDS_LAN[6], 1_000 + number)] as const;
  return { name: `paper-${number}`, number, kind, ips, macs: [mac(4), mac(6)], cluster: CLUSTER };
}

function isPodNetwork(text: string): boolean {
  const ip = text.split("/")[0] ?? "";
  return (
    isIp(ip) &&
    CLUSTER.some((cidr) => cidrFamily(cidr) === (ip.includes(":") ? 6 : 4) && containsIp(cidr, ip))
  );
}
