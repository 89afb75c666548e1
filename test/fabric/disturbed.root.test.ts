/** Whatever somebody else breaks of the fabric on a machine is back, with two peers and with five hundred. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { nthIp, parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { CLAIMS } from "#kernel/claims";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import type { Logger } from "#telemetry/log";
import { runIn, typeIn } from "./by-hand.ts";
import { type PaperNode, paperNode } from "./kernel-listing.ts";
import { eventually, type Machine, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent } from "./node-agent.ts";

const CLUSTER = [parseCidr("10.32.0.0/12"), parseCidr("fd42::/48")];
const PEERS_LAN = { 4: parseCidr("198.18.0.0/15"), 6: parseCidr("2001:db8:2::/64") };
const SETTINGS = [
  "net/ipv4/conf/all/forwarding",
  "net/ipv6/conf/all/forwarding",
  "net/bridge/bridge-nf-call-iptables",
];
/** One of the peers, by what the kernel has of it. */
const PEER = {
  subnet: "10.32.1.0/24",
  gateway: "10.32.1.0",
  mac: "02:00:04:00:00:01",
  gateway6: "fd42:0:0:1::",
};

const BREAKAGES: readonly (readonly [what: string, ...lines: readonly string[]])[] = [
  ["the tunnel is deleted", "ip link delete flannel.1"],
  ["both tunnels are deleted", "ip link delete flannel.1", "ip link delete flannel-v6.1"],
  ["a tunnel is set down", "ip link set flannel-v6.1 down"],
  ["a tunnel is set down and up", "ip link set flannel.1 down", "ip link set flannel.1 up"],
  [
    "a tunnel's MTU and MAC are changed",
    "ip link set flannel.1 mtu 1300",
    "ip link set flannel.1 address 02:11:11:11:11:11",
  ],
  [
    "the routes are flushed",
    `ip route flush proto ${CLAIMS.routeProtocol}`,
    `ip -6 route flush proto ${CLAIMS.routeProtocol}`,
  ],
  [
    "what stops packets to unknown pods is removed",
    `ip route del unreachable 10.32.0.0/12 metric ${0x7fff_fff0}`,
    `ip -6 route del unreachable fd42::/48 metric ${0x7fff_fff0}`,
  ],
  ["a route is led elsewhere", `ip route replace ${PEER.subnet} via 192.0.2.250`],
  ["a neighbour is deleted", `ip neigh del ${PEER.gateway} dev flannel.1`],
  ["a neighbour of the other family is deleted", `ip neigh del ${PEER.gateway6} dev flannel-v6.1`],
  ["a forwarding entry is deleted", `bridge fdb del ${PEER.mac} dev flannel.1 self`],
  [
    "a forwarding entry is led elsewhere",
    `bridge fdb replace ${PEER.mac} dev flannel.1 dst 203.0.113.9 self`,
  ],
  [
    "the tunnels' addresses are removed",
    "ip addr flush dev flannel.1",
    "ip -6 addr flush dev flannel-v6.1 scope global",
  ],
  ...SETTINGS.map((name) => [`${name} is switched off`, `sysctl -qw ${name}=0`] as const),
  ["the table is deleted", "nft delete table inet twill-fabric"],
  ["the table's rules are flushed", "nft flush table inet twill-fabric"],
  ["all tables of all programs are flushed", "nft flush ruleset"],
  ["a member is taken from the guard", "nft delete element inet twill-fabric members4 { 198.18.3.233 }"],
];

/** Those that take no longer with many peers than with few. */
const IS_SMALL = /net\/|set down|other family|led elsewhere|rules|all tables/;

for (const peers of [2, 500]) describe(`with ${peers} peers`, () => testBreakages(peers));

function testBreakages(count: number): void {
  const stack = new AsyncDisposableStack();
  after(() => stack.disposeAsync());
  const warnings: string[] = [];
  const log: Logger = {
    error() {},
    warn: (text) => void warnings.push(text),
    info() {},
    debug() {},
    child: () => log,
  };
  let machine: Machine;
  let agent: NodeAgent;
  let whole: string;

  before(async () => {
    const machines = stack.use(new Machines(`twt-${process.pid}-d${count}`));
    machine = machines.add("one");
    const client = openFakeClient();
    const host = { ...machine, cluster: CLUSTER };
    await client.create(NODES, nodeObject(host, 0));
    await Promise.all(Array.from({ length: count }, (_, i) => client.create(NODES, paperNode(paper(i + 1)))));
    agent = stack.use(await startAgent(host, client, { log }));
    await eventually(
      "all peers stand",
      // And one for the pods of nobody.
      () => machine.kernel.netlink.listRoutes(6).filter(isOurs).length === count + 1,
    );
    whole = stateOf(machine);
  });

  test("each is put right", async (t) => {
    for (const [what, ...lines] of BREAKAGES) {
      if (count > 2 && IS_SMALL.test(what)) continue;
      for (const line of lines) typeIn(machine.path, line);
      const start = performance.now();
      const found = await eventually(what, () => {
        const now = stateOf(machine);
        return now === whole ? "whole" : performance.now() - start > 15_000 ? now : undefined;
      });
      if (found !== "whole") assert.equal(found, whole, what);
      t.diagnostic(`${what}: ${(performance.now() - start).toFixed(0)} ms`);
    }
    assert.deepEqual(
      warnings.filter((text) => text.includes("again and again")),
      [],
    );
  });

  // The rest has nothing to do with how many there are.
  if (count > 2) return;

  test("when all is well nobody looks, whatever happens on other links", async () => {
    await quiet(agent);
    const rounds = agent.rounds.length;
    typeIn(machine.path, "ip link add other0 type bridge");
    typeIn(machine.path, "ip link set other0 up");
    const neighbors = Array.from(
      { length: 500 },
      (_, i) => `neigh add 10.9.${i >> 8}.${i & 255} lladdr 02:22:22:22:22:22 dev other0`,
    );
    batch(machine, neighbors);
    typeIn(machine.path, "ip link delete other0");
    await quiet(agent);
    assert.equal(agent.rounds.length, rounds);
  });

  test("somebody who deletes again and again is held off, and told of once", async () => {
    const { netlink } = machine.kernel;
    const before = agent.rounds.length;
    const start = performance.now();
    let deleted = 0;
    await eventually("it is told", () => {
      const link = netlink.findLink("flannel.1");
      if (link?.isUp) netlink.deleteLink(link.index);
      if (link?.isUp) deleted++;
      return warnings.some((text) => text.includes("again and again"));
    });
    const seconds = (performance.now() - start) / 1000;
    assert.ok(deleted >= 10, `${deleted} deletions`);
    assert.ok(agent.rounds.length - before < 5 + seconds * 21, `${agent.rounds.length - before} rounds`);
    await eventually("it stands in the end", () => stateOf(machine) === whole);
    assert.equal(warnings.filter((text) => text.includes("again and again")).length, 1);
  });
}

/** Resolves when there has been no round for a while. */
async function quiet(agent: NodeAgent): Promise<void> {
  let [seen, since] = [agent.rounds.length, performance.now()];
  await eventually("nothing is left to do", () => {
    if (agent.rounds.length !== seen) [seen, since] = [agent.rounds.length, performance.now()];
    return performance.now() - since > 700;
  });
}

function batch({ path }: Machine, lines: readonly string[]): void {
  runIn(path, "sh", "-c", `ip -batch - <<'END'\n${lines.join("\n")}\nEND`);
}

function isOurs({ protocol }: { readonly protocol: number }): boolean {
  return protocol === CLAIMS.routeProtocol;
}

/** All that the fabric keeps, without the numbers that the kernel gives out. */
function stateOf({ kernel }: Machine): string {
  const { netlink, nft, sysctl } = kernel;
  const links = netlink.listLinks().filter(({ name }) => name.startsWith("flannel"));
  const names = new Map(netlink.listLinks().map(({ index, name }) => [index, name]));
  const ours = ({ link }: { readonly link: number }) => links.some(({ index }) => index === link);
  const named = <T extends { readonly link: number }>(rows: readonly T[]) =>
    rows.map(({ link, ...row }) => JSON.stringify({ ...row, dev: names.get(link) })).sort();
  return JSON.stringify(
    {
      links: links
        .map(({ name, mac, mtuBytes, isUp, vxlan }) => JSON.stringify({ name, mac, mtuBytes, isUp, vxlan }))
        .sort(),
      addresses: named(netlink.listAddresses().filter((row) => ours(row) && row.scope === "global")),
      routes: named(FAMILIES.flatMap((family) => netlink.listRoutes(family).filter(isOurs))),
      neighbors: named(
        FAMILIES.flatMap((family) =>
          netlink
            .listNeighbors(family)
            .filter(ours)
            .filter(({ isPermanent }) => isPermanent),
        ),
      ),
      fdb: named(links.flatMap(({ index }) => netlink.listFdb(index))),
      settings: SETTINGS.map((name) => sysctl.read(name)),
      nft: nftText(nft),
    },
    undefined,
    1,
  );
}

function nftText(nft: Machine["kernel"]["nft"]): string {
  try {
    return nft.list("list table inet twill-fabric").replaceAll(/packets \d+ bytes \d+/g, "");
  } catch {
    return "";
  }
}

function paper(number: number): PaperNode {
  const hex = number.toString(16).padStart(4, "0");
  const mac = (family: number) => `02:00:0${family}:00:${hex.slice(0, 2)}:${hex.slice(2)}`;
  const ips = [nthIp(PEERS_LAN[4], 1_000 + number), nthIp(PEERS_LAN[6], 1_000 + number)] as const;
  return { name: `paper-${number}`, number, kind: "vxlan", ips, macs: [mac(4), mac(6)], cluster: CLUSTER };
}
