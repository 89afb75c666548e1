/** What is heard of the real kernel, and what is not: namespaces apart, floods, and noise on devices of others. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { addToIp, parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { CLAIMS } from "./claims.ts";
import type { ChangeKind, ChangeScope, NetKernel, Netns } from "./kernel.ts";
import { openKernel } from "./open.ts";

const opened = new DisposableStack();
const host = opened.use(openKernel());
const folder = mkdtempSync(join(tmpdir(), "twt-changes-"));
opened.defer(() => rmSync(folder, { recursive: true, force: true }));
after(() => opened.dispose());
// What is heard does not keep the process alive.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

let ns: Netns;
let here: NetKernel;
let stranger: NetKernel;
const MAC = parseMac("02:11:22:33:44:55");

function addNetns(name: string): Netns {
  const path = join(CLAIMS.netnsDir, `twt-${process.pid}-ch-${name}`);
  opened.defer(() => host.deleteNetns(path));
  return opened.use(host.createNetns(path));
}

before(() => {
  ns = addNetns("a");
  here = opened.use(host.openIn(ns));
  stranger = opened.use(host.openIn(ns));
});

function listen(scope: ChangeScope) {
  const heard: ChangeKind[] = [];
  let wake = () => {};
  const changes = here.openChanges(scope, (kinds) => {
    heard.push(...kinds);
    wake();
  });
  return {
    changes,
    heard,
    async until(kind: ChangeKind) {
      while (!heard.includes(kind)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

test("changes are those of the namespace they were opened in", async () => {
  using there = host.openIn(addNetns("b"));
  const { changes, heard, until } = listen({ links: ["br0", "br1"] });
  using _ = changes;
  there.netlink.addLink({ kind: "bridge", name: "br0" });
  stranger.netlink.addLink({ kind: "bridge", name: "br1" });
  await until("links");
  stranger.netlink.deleteLink(stranger.netlink.findLink("br1")?.index ?? 0);
  assert.equal(here.netlink.findLink("br0"), undefined);
  assert.deepEqual(new Set(heard), new Set(["links"]));
});

test("more changes than the queue holds are news as well, and what comes after them is heard", async () => {
  const { index } = stranger.netlink.addLink({ kind: "bridge", name: "br2" });
  const { changes, heard, until } = listen({ links: ["br2"] });
  using _ = changes;
  for (let n = 0; n < 2000; n++) stranger.netlink.changeLink(index, { mtuBytes: 1000 + (n % 400) });
  await until("unknown");
  heard.length = 0;
  stranger.netlink.deleteLink(index);
  await until("links");
});

test("neighbours of other links and cables of pods wake nobody", async () => {
  stranger.netlink.addLink({ kind: "bridge", name: "br3", isUp: true });
  const noisy = stranger.netlink.addLink({ kind: "bridge", name: "br4", isUp: true }).index;
  const { changes, until } = listen({
    links: ["br3"],
    neighborsOf: ["br3"],
    routesInto: [parseCidr("10.42.0.0/16")],
  });
  using _ = changes;
  await new Promise(setImmediate);
  let signals = 0;
  const count = () => void signals++;
  process.on("SIGIO", count);
  const first = parseIp("10.9.0.0");
  for (let n = 1; n <= 1000; n++)
    stranger.netlink.replaceNeighbor({ link: noisy, ip: addToIp(first, n), mac: MAC });
  for (let n = 0; n < 5; n++) {
    stranger.netlink.addLink({ kind: "veth", name: `veth${n}`, peer: { name: `peer${n}` } });
    stranger.sysctl.write(`net/ipv4/conf/veth${n}/forwarding`, 0);
  }
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(signals, 0);
  stranger.netlink.deleteLink(stranger.netlink.findLink("br3")?.index ?? 0);
  await until("links");
  process.off("SIGIO", count);
});

test("forwarding entries and settings of others are heard; entries of our own are not", async () => {
  const { index: underlay } = here.netlink.addLink({ kind: "bridge", name: "under0", isUp: true });
  const link = here.netlink.addLink({
    kind: "vxlan",
    name: "flannel.1",
    isUp: true,
    vxlan: { vni: 1, port: 8472, underlay, local: parseIp("192.0.2.1"), learning: false },
  }).index;
  const name = "net.ipv4.conf.all.rp_filter";
  here.sysctl.write(name, 0);
  const { changes, heard, until } = listen({ links: ["flannel.1"], neighborsOf: ["flannel.1"] });
  using _ = changes;
  const vtep = parseIp("192.0.2.9");
  here.netlink.replaceFdb({ link, mac: MAC, vtep });
  here.netlink.deleteFdb({ link, mac: MAC, vtep });
  here.netlink.replaceFdb({ link, mac: MAC, vtep });
  stranger.sysctl.write(name, 2);
  await until("settings");
  assert.ok(!heard.includes("neighbors"));
  stranger.netlink.deleteFdb({ link, mac: MAC, vtep });
  await until("neighbors");
});

test("addresses of our own are heard by who asks for them", async () => {
  const { index } = here.netlink.addLink({ kind: "bridge", name: "br-own", isUp: true });
  const silent = listen({ links: [], everyAddress: true });
  using _silent = silent.changes;
  const { changes, until } = listen({ links: [], everyAddress: true, ownAddresses: true });
  using _ = changes;
  here.netlink.addAddress(index, parseIpPrefix("192.0.2.77/32"));
  await until("addresses");
  assert.deepEqual(silent.heard, []);
});
