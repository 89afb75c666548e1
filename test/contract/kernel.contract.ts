/** What every kernel does, the fake one and the real one: run by `fake.test.ts` and `real.root.test.ts` of the kernel room. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Cidr, hostCidr, parseCidr, parseIpPrefix } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { isLinkLocal, parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Link, NetKernel, Netlink, Netns, Nft, NftData, Route, VxlanSpec } from "#kernel/kernel";
import { NetlinkError } from "#kernel/netlink-error";

export interface ContractWorld extends Disposable {
  readonly kernel: Kernel;
  /** A path where a namespace can be mounted. */
  path(name: string): string;
}

/** The same facts in either family. */
const WORLD = {
  4: {
    host: "10.42.0.1/24",
    network: "10.42.0.0/24",
    lone: "10.42.9.0/32",
    pod: "10.42.0.2",
    gateway: "10.42.0.7",
    otherGateway: "10.42.0.8",
    vtep: "192.0.2.9",
    otherVtep: "192.0.2.10",
    remote: "10.42.3.0/24",
    remotePod: "10.42.3.9",
    remoteNode: "10.42.3.0",
    narrow: "10.42.3.8/29",
    any: "0.0.0.0/0",
    overhead: 50,
  },
  6: {
    host: "fd00:42::1/64",
    network: "fd00:42::/64",
    lone: "fd00:42:9::/128",
    pod: "fd00:42::2",
    gateway: "fd00:42::7",
    otherGateway: "fd00:42::8",
    vtep: "2001:db8::9",
    otherVtep: "2001:db8::10",
    remote: "fd00:42:3::/64",
    remotePod: "fd00:42:3::9",
    remoteNode: "fd00:42:3::",
    narrow: "fd00:42:3::8/125",
    any: "::/0",
    overhead: 70,
  },
} as const;

const MAC = parseMac("02:11:22:33:44:55");
const OTHER_MAC = parseMac("02:11:22:33:44:66");
const NOWHERE = 4242;

export function kernelContract(open: () => ContractWorld): void {
  let world: ContractWorld;
  let opened: DisposableStack;
  let ns: Netns;
  let net: NetKernel;
  let netlink: Netlink;
  beforeEach(() => {
    opened = new DisposableStack();
    world = opened.use(open());
    ns = opened.use(world.kernel.createNetns(world.path("a")));
    net = opened.use(world.kernel.openIn(ns));
    ({ netlink } = net);
  });
  afterEach(() => opened.dispose());

  const bridge = (name = "cni0"): Link =>
    netlink.addLink({ kind: "bridge", name, mtuBytes: 1450, isUp: true });
  const pair = (): { ns: Netns; net: NetKernel; netlink: Netlink } => {
    const other = opened.use(world.kernel.createNetns(world.path("b")));
    const there = opened.use(world.kernel.openIn(other));
    return { ns: other, net: there, netlink: there.netlink };
  };
  const routesOf = (family: Family): Route[] =>
    netlink.listRoutes(family).filter(({ to }) => !isLinkLocal(addressIn(to)) && !to.startsWith("ff"));

  describe("links", () => {
    test("a fresh namespace has lo, and it is up", () => {
      const [lo, ...rest] = netlink.listLinks();
      assert.deepEqual([lo?.name, lo?.isUp, lo?.index, rest.length], ["lo", true, 1, 0]);
    });

    test("a bridge is what was asked for", () => {
      const made = netlink.addLink({ kind: "bridge", name: "cni0", mtuBytes: 1450, mac: MAC, isUp: true });
      assert.deepEqual(made, {
        index: made.index,
        name: "cni0",
        kind: "bridge",
        mac: MAC,
        mtuBytes: 1450,
        isUp: true,
        isPromiscuous: false,
        isAllMulticast: false,
        sendQueueLength: 1000,
        master: undefined,
        parent: undefined,
        vxlan: undefined,
      });
      assert.deepEqual(netlink.findLink("cni0"), made);
      assert.deepEqual(netlink.listLinks().at(-1), made);
    });

    test("a name is given once", () => {
      bridge();
      refused("EEXIST", () => bridge());
    });

    test("a name has at most fifteen characters", () => {
      refused("ERANGE", () => bridge("a-name-too-long1"));
    });

    test("an absent link is found as nothing", () => {
      assert.equal(netlink.findLink("cni0"), undefined);
    });

    test("a veth pair spans two namespaces and each end names the other", () => {
      const other = pair();
      const port = bridge();
      const host = netlink.addLink({
        kind: "veth",
        name: "veth0",
        mtuBytes: 1450,
        master: port.index,
        isUp: true,
        peer: { name: "eth0", netns: other.ns, mac: MAC, mtuBytes: 1400 },
      });
      const pod = other.netlink.findLink("eth0");
      assert.equal(pod?.kind, "veth");
      assert.deepEqual([pod?.mac, pod?.mtuBytes, pod?.isUp], [MAC, 1400, false]);
      assert.deepEqual([host.parent, pod?.parent], [pod?.index, host.index]);
      assert.deepEqual([host.master, host.isUp, host.mtuBytes], [port.index, true, 1450]);
    });

    test("a veth whose peer's name is taken leaves nothing behind", () => {
      const other = pair();
      other.netlink.addLink({ kind: "bridge", name: "eth0" });
      refused("EEXIST", () =>
        netlink.addLink({ kind: "veth", name: "veth0", peer: { name: "eth0", netns: other.ns } }),
      );
      assert.equal(netlink.findLink("veth0"), undefined);
    });

    test("deleting one end of a veth deletes both", () => {
      const other = pair();
      const host = netlink.addLink({ kind: "veth", name: "veth0", peer: { name: "eth0", netns: other.ns } });
      netlink.deleteLink(host.index);
      assert.equal(other.netlink.findLink("eth0"), undefined);
    });

    test("deleting an absent link is success, deleting lo is refused", () => {
      netlink.deleteLink(NOWHERE);
      refused("EOPNOTSUPP", () => netlink.deleteLink(1));
    });

    test("many links go at once, and none but those", () => {
      const made = ["one", "two", "three"].map(
        (name) => netlink.addLink({ kind: "veth", name, peer: { name: `${name}-peer` } }).index,
      );
      bridge();
      netlink.deleteLinks([made[0] ?? 0, NOWHERE, made[2] ?? 0]);
      netlink.deleteLinks([made[0] ?? 0, NOWHERE]);
      netlink.deleteLinks([]);
      assert.deepEqual(
        netlink
          .listLinks()
          .map(({ name }) => name)
          .sort(),
        ["cni0", "lo", "two", "two-peer"],
      );
    });

    test("a link changes its name, MTU, MAC and state", () => {
      const { index } = bridge();
      netlink.changeLink(index, { name: "br0", mtuBytes: 1300, mac: MAC, isUp: false });
      const now = netlink.findLink("br0");
      assert.deepEqual([now?.index, now?.mtuBytes, now?.mac, now?.isUp], [index, 1300, MAC, false]);
    });

    test("a link takes in what is for others, and holds as much as is said", () => {
      const { index } = bridge();
      netlink.changeLink(index, { isPromiscuous: true, isAllMulticast: true, sendQueueLength: 77 });
      netlink.changeLink(index, { isAllMulticast: false });
      const { isUp, isPromiscuous, isAllMulticast, sendQueueLength } = netlink.findLink("cni0") ?? {};
      assert.deepEqual(
        { isUp, isPromiscuous, isAllMulticast, sendQueueLength },
        { isUp: true, isPromiscuous: true, isAllMulticast: false, sendQueueLength: 77 },
      );
    });

    test("a link is paced, and paced anew", () => {
      const { index } = bridge();
      const other = netlink.addLink({ kind: "ifb", name: "pacer", isUp: true });
      const pace = { bytesPerSecond: 1_000_000, burstBytes: 64_000, queueBytes: 89_000 };
      // Rates above 32 bits are told in another field.
      const fast = { bytesPerSecond: 12_500_000_000, burstBytes: 8000 * 78_125, queueBytes: 937_500_000 };
      assert.deepEqual(netlink.listPaces(), []);
      netlink.paceLink(index, fast);
      netlink.paceLink(other.index, pace);
      netlink.paceLink(index, pace);
      netlink.paceLink(other.index, fast);
      const [first, second, ...rest] = netlink.listPaces().toSorted((a, b) => a.link - b.link);
      assert.deepEqual([first, rest], [{ link: index, ...pace }, []]);
      // The kernel keeps a burst as time, in steps of 64 ns.
      const rounded = Math.round((second?.burstBytes ?? 0) / 10_000) * 10_000;
      assert.deepEqual({ ...second, burstBytes: rounded }, { link: other.index, ...fast });
      refused("ENODEV", () => netlink.paceLink(NOWHERE, pace));
    });

    test("what a link receives is redirected, once", () => {
      const { index } = bridge();
      const to = netlink.addLink({ kind: "ifb", name: "pacer", isUp: true }).index;
      assert.equal(netlink.findLink("pacer")?.kind, "ifb");
      netlink.redirectReceived(index, to);
      refused("EEXIST", () => netlink.redirectReceived(index, to));
      refused("ENODEV", () => netlink.redirectReceived(NOWHERE, to));
    });

    test("a change of an absent link, and a rename to a taken name, are refused", () => {
      const { index } = bridge();
      refused("ENODEV", () => netlink.changeLink(NOWHERE, { isUp: true }));
      refused("EEXIST", () => netlink.changeLink(index, { name: "lo" }));
    });

    test("a port joins a bridge, gets hairpin, and leaves", () => {
      const { index: master } = bridge();
      const veth = netlink.addLink({ kind: "veth", name: "veth0", peer: { name: "veth1" } });
      refused("EOPNOTSUPP", () => netlink.changeLink(veth.index, { hairpin: true }));
      netlink.changeLink(veth.index, { master, hairpin: true });
      assert.equal(netlink.findLink("veth0")?.master, master);
      netlink.changeLink(veth.index, { master: 0 });
      assert.equal(netlink.findLink("veth0")?.master, undefined);
      refused("EINVAL", () => netlink.changeLink(veth.index, { master: NOWHERE }));
    });

    test("deleting a bridge frees its ports", () => {
      const { index: master } = bridge();
      netlink.addLink({ kind: "veth", name: "veth0", master, peer: { name: "veth1" } });
      netlink.deleteLink(master);
      assert.equal(netlink.findLink("veth0")?.master, undefined);
    });

    test("a link moves to another namespace", () => {
      const other = pair();
      const { index } = netlink.addLink({ kind: "veth", name: "veth0", peer: { name: "veth1" } });
      netlink.changeLink(index, { netns: other.ns });
      assert.equal(netlink.findLink("veth0"), undefined);
      assert.equal(other.netlink.findLink("veth0")?.kind, "veth");
    });
  });

  for (const family of FAMILIES) {
    const w = WORLD[family];
    const ip = parseIp;
    const vxlanOn = (underlay: Link): VxlanSpec => ({
      vni: 1,
      port: 8472,
      underlay: underlay.index,
      local: ip(w.pod),
      learning: false,
    });
    const tunnel = (underlay: Link): Link =>
      netlink.addLink({ kind: "vxlan", name: "flannel.1", mac: MAC, isUp: true, vxlan: vxlanOn(underlay) });

    describe(`IPv${family} vxlan`, () => {
      test("is what was asked for, as large as its underlay lets it be", () => {
        const under = bridge();
        const made = tunnel(under);
        assert.deepEqual([made.kind, made.mac, made.parent, made.isUp], ["vxlan", MAC, under.index, true]);
        assert.equal(made.mtuBytes, 1450 - w.overhead);
        const { vni, port, underlay, local, learning } = made.vxlan ?? {};
        assert.deepEqual({ vni, port, underlay, local, learning }, vxlanOn(under));
      });

      test("it moves to another underlay and address, and keeps what it knows", () => {
        const first = bridge("under0");
        const { index: link } = tunnel(first);
        const entry = { link, mac: OTHER_MAC, vtep: ip(w.vtep) };
        netlink.replaceFdb(entry);
        netlink.replaceNeighbor({ link, ip: ip(w.remoteNode), mac: OTHER_MAC });
        const underlay = bridge("under1").index;
        netlink.changeLink(link, { vxlan: { underlay, local: ip(w.gateway) } });
        const moved = netlink.findLink("flannel.1");
        assert.deepEqual(
          [moved?.index, moved?.parent, moved?.vxlan?.local, moved?.mac, moved?.vxlan?.vni],
          [link, underlay, w.gateway, MAC, vxlanOn(first).vni],
        );
        assert.deepEqual(netlink.listFdb(link), [entry]);
        assert.equal(netlink.listNeighbors(family).filter(({ isPermanent }) => isPermanent).length, 1);
        netlink.deleteLink(first.index);
        assert.ok(netlink.findLink("flannel.1"));
      });

      test("is refused when its number is in use, or its underlay is missing", () => {
        const under = bridge();
        tunnel(under);
        const vxlan = vxlanOn(under);
        refused("EEXIST", () => netlink.addLink({ kind: "vxlan", name: "flannel.2", vxlan }));
        refused("ENODEV", () =>
          netlink.addLink({ kind: "vxlan", name: "vx", vxlan: { ...vxlan, vni: 2, underlay: NOWHERE } }),
        );
      });

      test("goes with its underlay", () => {
        const under = bridge();
        tunnel(under);
        netlink.deleteLink(under.index);
        assert.equal(netlink.findLink("flannel.1"), undefined);
      });

      test("has one destination per MAC", () => {
        const { index: link } = tunnel(bridge());
        netlink.replaceFdb({ link, mac: OTHER_MAC, vtep: ip(w.vtep) });
        netlink.replaceFdb({ link, mac: OTHER_MAC, vtep: ip(w.vtep) });
        assert.deepEqual(netlink.listFdb(link), [{ link, mac: OTHER_MAC, vtep: ip(w.vtep) }]);
        netlink.replaceFdb({ link, mac: OTHER_MAC, vtep: ip(w.otherVtep) });
        assert.deepEqual(netlink.listFdb(link), [{ link, mac: OTHER_MAC, vtep: ip(w.otherVtep) }]);
      });

      test("forgets a destination, once or twice, and keeps it when another is named", () => {
        const { index: link } = tunnel(bridge());
        const entry = { link, mac: OTHER_MAC, vtep: ip(w.vtep) };
        netlink.replaceFdb(entry);
        netlink.deleteFdb({ ...entry, vtep: ip(w.otherVtep) });
        assert.equal(netlink.listFdb(link).length, 1);
        netlink.deleteFdb(entry);
        netlink.deleteFdb(entry);
        netlink.deleteFdb({ ...entry, link: NOWHERE });
        assert.deepEqual(netlink.listFdb(link), []);
        assert.deepEqual(netlink.listFdb(NOWHERE), []);
        refused("ENODEV", () => netlink.replaceFdb({ ...entry, link: NOWHERE }));
      });

      test("keeps its destinations while it is down, but not its routes and neighbours", () => {
        const { index: link } = tunnel(bridge());
        netlink.replaceFdb({ link, mac: OTHER_MAC, vtep: ip(w.vtep) });
        netlink.replaceNeighbor({ link, ip: ip(w.remoteNode), mac: OTHER_MAC });
        netlink.replaceRoute({ to: parseCidr(w.remote), via: ip(w.remoteNode), link, onlink: true });
        netlink.changeLink(link, { isUp: false });
        netlink.changeLink(link, { isUp: true });
        assert.equal(netlink.listFdb(link).length, 1);
        assert.deepEqual(netlink.listNeighbors(family), []);
        assert.deepEqual(
          routesOf(family).filter(({ to }) => to === w.remote),
          [],
        );
      });
    });

    describe(`IPv${family} addresses`, () => {
      const own = () =>
        netlink
          .listAddresses()
          .filter(({ link, address }) => link !== 1 && !isLinkLocal(addressIn(address)))
          .map(({ address, scope }) => [address, scope]);

      test("an address stands once, however often it is added", () => {
        const { index } = bridge();
        netlink.addAddress(index, parseIpPrefix(w.host), { noDad: true });
        netlink.addAddress(index, parseIpPrefix(w.host), { noDad: true });
        assert.deepEqual(own(), [[w.host, "global"]]);
      });

      test("an address brings its network's route, and takes it along", () => {
        const { index } = bridge();
        netlink.addAddress(index, parseIpPrefix(w.host), { noDad: true });
        const connected = routesOf(family).map(({ to, link, protocol }) => [to, link, protocol]);
        assert.deepEqual(connected, [[w.network, index, 2]]);
        netlink.deleteAddress(index, parseIpPrefix(w.host));
        assert.deepEqual(routesOf(family), []);
        assert.deepEqual(own(), []);
      });

      test("a lone address stands", () => {
        const { index } = bridge();
        netlink.addAddress(index, parseIpPrefix(w.lone), { noDad: true });
        assert.deepEqual(own(), [[w.lone, "global"]]);
      });

      test("deleting an absent address is success, adding one to an absent link is refused", () => {
        const { index } = bridge();
        netlink.deleteAddress(index, parseIpPrefix(w.host));
        netlink.deleteAddress(NOWHERE, parseIpPrefix(w.host));
        refused("ENODEV", () => netlink.addAddress(NOWHERE, parseIpPrefix(w.host)));
      });
    });

    describe(`IPv${family} routes`, () => {
      const remote = parseCidr(w.remote);
      const ready = (): number => {
        const { index } = bridge();
        netlink.addAddress(index, parseIpPrefix(w.host), { noDad: true });
        return index;
      };
      const toRemote = () => routesOf(family).filter(({ to }) => to === remote);

      test("a route carries our mark and is set once, however often", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        assert.deepEqual(toRemote(), [
          {
            to: remote,
            via: ip(w.gateway),
            link,
            onlink: false,
            table: CLAIMS.routeTable,
            protocol: CLAIMS.routeProtocol,
          },
        ]);
      });

      test("a route's next hop is replaced in place", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        netlink.replaceRoute({ to: remote, via: ip(w.otherGateway), link });
        assert.deepEqual(
          toRemote().map(({ via }) => via),
          [w.otherGateway],
        );
      });

      test("a default route is one to everything", () => {
        const link = ready();
        netlink.replaceRoute({ to: parseCidr(w.any), via: ip(w.gateway), link });
        const route = netlink.lookupRoute(ip(w.vtep));
        assert.deepEqual([route?.via, route?.link], [w.gateway, link]);
        assert.equal(
          routesOf(family).some(({ to }) => to === w.any),
          true,
        );
      });

      test("a gateway that no address reaches needs onlink", () => {
        const link = ready();
        const far = { to: remote, via: ip(w.remoteNode), link };
        refused(family === 4 ? "ENETUNREACH" : "EHOSTUNREACH", () => netlink.replaceRoute(far));
        netlink.replaceRoute({ ...far, onlink: true });
        assert.deepEqual(
          toRemote().map(({ onlink }) => onlink),
          [true],
        );
      });

      test("a subnet moves to another link with a gateway of its own, in IPv6 once that gateway has", () => {
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link: ready() });
        const link = bridge("elsewhere").index;
        const moved = { to: remote, via: ip(w.remoteNode), link, onlink: true };
        if (family === 6) {
          refused("EINVAL", () => netlink.replaceRoute(moved));
          netlink.replaceRoute({ to: hostCidr(ip(w.remoteNode)), link });
        }
        netlink.replaceRoute(moved);
        assert.deepEqual(
          toRemote().map((route) => [route.via, route.link]),
          [[w.remoteNode, link]],
        );
      });

      test("a route over an absent link or one that is down is refused", () => {
        const link = ready();
        refused("ENODEV", () => netlink.replaceRoute({ to: remote, link: NOWHERE }));
        netlink.changeLink(link, { isUp: false });
        refused("ENETDOWN", () => netlink.replaceRoute({ to: remote, link }));
      });

      test("a route is deleted, once or twice, whoever made it", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link, protocol: 4 });
        netlink.deleteRoute({ to: remote, link });
        netlink.deleteRoute({ to: remote, link });
        netlink.deleteRoute({ to: remote, link: NOWHERE });
        assert.deepEqual(toRemote(), []);
      });

      test("another maker's route is kept when ours is to be deleted", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link, protocol: 4 });
        netlink.deleteRoute({ to: remote, link, protocol: CLAIMS.routeProtocol });
        assert.equal(toRemote().length, 1);
      });

      test("an unreachable route of the last metric answers for what has no other, and is told from one that leads", () => {
        const link = ready();
        const barrier = { to: remote, link: 0, kind: "unreachable", metric: 0x7fff_fff0 } as const;
        netlink.replaceRoute(barrier);
        netlink.replaceRoute(barrier);
        const { table, protocol } = { table: CLAIMS.routeTable, protocol: CLAIMS.routeProtocol };
        const standing = { ...barrier, via: undefined, onlink: false, table, protocol };
        assert.deepEqual(toRemote(), [standing]);
        netlink.replaceRoute({ to: parseCidr(w.any), via: ip(w.gateway), link });
        assert.equal(netlink.lookupRoute(ip(w.remotePod)), undefined);
        netlink.replaceRoute({ to: parseCidr(w.narrow), via: ip(w.otherGateway), link });
        assert.equal(netlink.lookupRoute(ip(w.remotePod))?.via, w.otherGateway);
        netlink.deleteRoute({ to: parseCidr(w.narrow), link });
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        assert.equal(netlink.lookupRoute(ip(w.remotePod))?.via, w.gateway);
        netlink.deleteRoute(standing);
        netlink.deleteRoute(standing);
        assert.deepEqual(
          toRemote().map(({ via, metric }) => [via, metric]),
          [[w.gateway, undefined]],
        );
      });

      test("of two routes of different metrics the one that is named is deleted", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link, metric: 2000 });
        netlink.deleteRoute({ to: remote, via: ip(w.gateway), link, metric: 2000 });
        assert.deepEqual(
          toRemote().map(({ metric }) => metric),
          [undefined],
        );
      });

      test("a lookup takes the narrowest route", () => {
        const link = ready();
        netlink.replaceRoute({ to: remote, via: ip(w.gateway), link });
        netlink.replaceRoute({ to: parseCidr(w.narrow), via: ip(w.otherGateway), link });
        const route = netlink.lookupRoute(ip(w.remotePod));
        assert.deepEqual([route?.via, route?.link], [w.otherGateway, link]);
      });

      test("a lookup finds the link, nothing, or ourselves", () => {
        const link = ready();
        const near = netlink.lookupRoute(ip(w.pod));
        assert.deepEqual([near?.via, near?.link], [undefined, link]);
        assert.equal(netlink.lookupRoute(ip(w.vtep)), undefined);
        const self = netlink.lookupRoute(ip(w.host.split("/")[0] ?? ""));
        // IPv6 says the link until the address has settled, and lo from then on.
        assert.ok(self?.link === 1 || self?.link === link);
      });
    });

    describe(`IPv${family} neighbours`, () => {
      test("a neighbour is set, changed, and deleted twice", () => {
        const { index: link } = bridge();
        const neighbor = { link, ip: ip(w.remoteNode), mac: MAC };
        netlink.replaceNeighbor(neighbor);
        netlink.replaceNeighbor({ ...neighbor, mac: OTHER_MAC });
        assert.deepEqual(netlink.listNeighbors(family), [{ ...neighbor, mac: OTHER_MAC, isPermanent: true }]);
        netlink.deleteNeighbor(neighbor);
        netlink.deleteNeighbor(neighbor);
        netlink.deleteNeighbor({ ...neighbor, link: NOWHERE });
        assert.deepEqual(netlink.listNeighbors(family), []);
        refused("ENODEV", () => netlink.replaceNeighbor({ ...neighbor, link: NOWHERE }));
      });
    });
  }

  describe("changes behind our back", () => {
    const network = parseCidr(WORLD[4].remote);
    const route = (link: number) => ({ to: network, via: parseIp(WORLD[4].gateway), link });
    const scope = {
      links: ["cni0", "cni1"],
      neighborsOf: ["cni0"],
      routesInto: [network],
      nftables: true,
    };
    /** Resolves when something has been heard of each kind. */
    const listen = (at: NetKernel) => {
      const heard = new Set<string>();
      let wake = () => {};
      const changes = at.openChanges(scope, (kinds) => {
        for (const kind of kinds) heard.add(kind);
        wake();
      });
      opened.use(changes);
      return async (...kinds: readonly string[]) => {
        const alive = setInterval(() => {}, 1000); // hearing does not keep a process alive
        while (!kinds.every((kind) => heard.has(kind)))
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        clearInterval(alive);
        const all = [...heard].sort();
        heard.clear();
        return all;
      };
    };

    test("each kind of change by somebody else is told, and only what was asked for", async () => {
      const index = bridge().index;
      netlink.addAddress(index, parseIpPrefix(WORLD[4].host));
      const other = opened.use(world.kernel.openIn(ns)).netlink;
      const heard = listen(net);
      const stranger = other.addLink({ kind: "bridge", name: "br9", isUp: true }).index;
      other.replaceNeighbor({ link: stranger, ip: parseIp("192.0.2.9"), mac: MAC });
      other.replaceRoute({ to: parseCidr("198.51.100.0/24"), link: stranger });
      const cases: readonly (readonly [string, () => void])[] = [
        ["links", () => other.changeLink(index, { mtuBytes: 1300 })],
        ["routes", () => other.replaceRoute(route(index))],
        ["routes", () => other.deleteRoute(route(index))],
        ["neighbors", () => other.replaceNeighbor({ link: index, ip: parseIp("10.42.0.9"), mac: MAC })],
        ["neighbors", () => other.deleteNeighbor({ link: index, ip: parseIp("10.42.0.9") })],
      ];
      for (const [kind, change] of cases) {
        change();
        assert.deepEqual(await heard(kind), [kind], String(change));
      }
      other.deleteAddress(index, parseIpPrefix(WORLD[4].host));
      assert.ok((await heard("addresses")).includes("addresses"));
      const late = other.addLink({ kind: "bridge", name: "cni1", isUp: true }).index;
      await heard("links");
      other.addAddress(late, parseIpPrefix(WORLD[4].host));
      await heard("addresses");
      other.deleteLink(index);
      await heard("links");
    });

    test("what this handle does is no news, what another does is", async () => {
      const index = bridge().index;
      netlink.addAddress(index, parseIpPrefix(WORLD[4].host));
      const other = opened.use(world.kernel.openIn(ns));
      const heard = listen(net);
      netlink.replaceRoute(route(index));
      netlink.replaceNeighbor({ link: index, ip: parseIp("10.42.0.9"), mac: MAC });
      net.nft.run("add table ip twt");
      netlink.deleteRoute(route(index));
      other.nft.run("add table ip twt-other");
      assert.deepEqual(await heard("nftables"), ["nftables"]);
      const before = net.nft.foreignGeneration();
      net.nft.run("add table ip twt-third");
      assert.equal(net.nft.foreignGeneration(), before);
      other.nft.run("delete table ip twt-other");
      assert.notEqual(net.nft.foreignGeneration(), before);
    });
  });

  describe("what filters packets", () => {
    test("chains, rules with their verdicts, and sets are listed, whoever made them", () => {
      net.nft.run(`table inet twt-filter {
        set ports { type inet_service; }
        chain more { }
        chain in { type filter hook input priority -5; policy drop; tcp dport @ports accept; jump more; }
      }`);
      net.nft.run("add element inet twt-filter ports { 22, 80 }");
      using filters = net.openFilters();
      const ours = filters.listChains().filter(({ table }) => table === "twt-filter");
      assert.deepEqual(
        ours.map(({ family, chain, base }) => ({ family, chain, base })),
        [
          { family: "inet", chain: "more", base: undefined },
          {
            family: "inet",
            chain: "in",
            base: { hook: "input", type: "filter", priority: -5, policy: "drop" },
          },
        ],
      );
      const ref = { family: "inet", table: "twt-filter" } as const;
      const verdicts = filters
        .listRules({ ...ref, chain: "in" })
        .map(({ expressions }) => expressions.find((each) => each.kind === "verdict")?.verdict);
      assert.deepEqual(verdicts, [{ kind: "accept" }, { kind: "jump", chain: "more" }]);
      assert.deepEqual(filters.listRules({ ...ref, chain: "more" }), []);
      const values = filters
        .listSet({ ...ref, set: "ports" })
        .map(({ low }) => Buffer.from(low).readUInt16BE());
      assert.deepEqual(
        values.sort((a, b) => a - b),
        [22, 80],
      );
      assert.deepEqual(filters.listRules({ ...ref, table: "twt-none", chain: "in" }), []);
      assert.throws(() => filters.listSet({ ...ref, set: "none" }), { code: "ENOENT" });
      assert.deepEqual(filters.listOldTables(4), []);
      assert.throws(() => filters.readOldTable(4, "filter"), { code: "ENOENT" });
    });
  });

  describe("nftables", () => {
    const TABLE = "twt";
    const PROGRAM = [
      `table ip ${TABLE} {`,
      "  set pods { type ipv4_addr; }",
      "  map routes { type ipv4_addr . inet_proto . inet_service : verdict; }",
      '  set ranges { type ipv4_addr . ipv4_addr; flags interval; comment "from { here; }"; }',
      "  chain refuse {",
      "    reject",
      "  }",
      "  chain hook-input {",
      "    type filter hook input priority 0; policy accept;",
      "    ip daddr { 192.0.2.1, 192.0.2.2 } drop",
      "  }",
      "}",
      `add element ip ${TABLE} pods { 10.42.0.9 }`,
      "",
    ].join("\n");
    const set = (name: string) => ({ family: "ip", table: TABLE, set: name }) as const;
    const pod = (n: number) => ({ key: Uint8Array.of(10, 42, 0, n) });
    const route = (verdict: NftData) => ({
      key: Uint8Array.of(10, 43, 0, 10, 17, 0, 0, 0, 0, 53, 0, 0),
      data: verdict,
    });
    const refuse: NftData = { kind: "verdict", verdict: "goto", chain: "refuse" };
    const loaded = (): Nft => {
      const { nft } = net;
      nft.run(PROGRAM);
      return nft;
    };
    const keys = (nft: Nft, name: string) =>
      nft
        .listElements(set(name))
        .map(({ key }) => key.join("."))
        .toSorted();

    test("a program is loaded and listed", () => {
      const text = loaded().list(`list table ip ${TABLE}`);
      for (const part of [
        `table ip ${TABLE} {`,
        "set pods {",
        "map routes {",
        "chain refuse {",
        "chain hook-input {",
      ])
        assert.ok(text.includes(part), part);
    });

    test("elements written as text are read as bytes", () => {
      const nft = loaded();
      nft.run(`add element ip ${TABLE} routes { 10.43.0.10 . udp . 53 : goto refuse }`);
      assert.deepEqual(keys(nft, "pods"), ["10.42.0.9"]);
      assert.deepEqual(nft.listElements(set("routes")), [route(refuse)]);
    });

    test("elements come and go", () => {
      const nft = loaded();
      nft.changeElements([
        { op: "add", set: set("pods"), elements: [pod(2), pod(3)] },
        { op: "add", set: set("routes"), elements: [route(refuse)] },
      ]);
      nft.changeElements([{ op: "delete", set: set("pods"), elements: [pod(2), pod(9)] }]);
      assert.deepEqual(keys(nft, "pods"), ["10.42.0.3"]);
      assert.deepEqual(nft.listElements(set("routes")), [route(refuse)]);
    });

    test("each change gives the tables another generation, looking gives none", () => {
      const nft = loaded();
      const seen = [nft.generation()];
      nft.list(`list table ip ${TABLE}`);
      nft.listElements(set("pods"));
      assert.equal(nft.generation(), seen[0]);
      nft.changeElements([{ op: "add", set: set("pods"), elements: [pod(2)] }]);
      seen.push(nft.generation());
      nft.run(`flush table ip ${TABLE}`);
      seen.push(nft.generation());
      assert.equal(new Set(seen).size, 3);
    });

    test("an element with a range keeps both ends", () => {
      const nft = loaded();
      const element = {
        key: Uint8Array.of(10, 0, 0, 1, 10, 1, 0, 0),
        keyEnd: Uint8Array.of(10, 0, 0, 1, 10, 1, 0, 255),
      };
      nft.changeElements([{ op: "add", set: set("ranges"), elements: [element] }]);
      assert.deepEqual(nft.listElements(set("ranges")), [element]);
    });

    test("many elements are listed in turns too, each once", async () => {
      const nft = loaded();
      const pods = Array.from({ length: 2_000 }, (_, n) => ({ key: Uint8Array.of(10, 42, n >> 8, n & 255) }));
      nft.changeElements([{ op: "add", set: set("pods"), elements: pods }]);
      const listed = await nft.listElementsInTurns(set("pods"));
      const keys = (elements: readonly { readonly key: Uint8Array }[]) =>
        elements.map(({ key }) => key.join(".")).sort();
      assert.deepEqual(keys(listed), keys(pods));
      await assert.rejects(nft.listElementsInTurns(set("none")), { code: "ENOENT" });
    });

    test("a set that counts lists what it has counted, and elements by text and by bytes count alike", () => {
      const nft = loaded();
      nft.run(
        `add set ip ${TABLE} nodes { type ipv4_addr; counter; }\nadd element ip ${TABLE} nodes { 10.42.0.1 }\n`,
      );
      nft.changeElements([{ op: "add", set: set("nodes"), elements: [pod(1), pod(2)] }]);
      const counter = { packets: 0, bytes: 0 };
      assert.deepEqual(
        nft.listElements(set("nodes")).toSorted((a, b) => (a.key[3] ?? 0) - (b.key[3] ?? 0)),
        [1, 2].map((n) => ({ ...pod(n), counter })),
      );
      assert.equal(nft.listElements(set("pods"))[0]?.counter, undefined);
    });

    test("adding what stands is success; a changed value is refused", () => {
      const nft = loaded();
      nft.changeElements([{ op: "add", set: set("pods"), elements: [pod(9)] }]);
      nft.changeElements([{ op: "add", set: set("routes"), elements: [route(refuse)] }]);
      const drop = route({ kind: "verdict", verdict: "drop" });
      assert.throws(() => nft.changeElements([{ op: "add", set: set("routes"), elements: [drop] }]), {
        code: "EEXIST",
      });
    });

    test("a change is all or nothing, and names what is absent", () => {
      const nft = loaded();
      assert.throws(
        () =>
          nft.changeElements([
            { op: "add", set: set("pods"), elements: [pod(4)] },
            { op: "delete", set: set("pods"), elements: [pod(77)] },
          ]),
        { code: "ENOENT" },
      );
      assert.deepEqual(keys(nft, "pods"), ["10.42.0.9"]);
      assert.throws(() => nft.run(`add chain ip ${TABLE} late\nadd rule ip ${TABLE} nowhere accept\n`));
      assert.ok(!nft.list(`list table ip ${TABLE}`).includes("late"));
    });

    test("an absent set, table or chain is ENOENT", () => {
      const nft = loaded();
      const lost = route({ kind: "verdict", verdict: "goto", chain: "nowhere" });
      const absent = { code: "ENOENT" };
      assert.throws(() => nft.changeElements([{ op: "add", set: set("none"), elements: [pod(2)] }]), absent);
      assert.throws(() => nft.changeElements([{ op: "add", set: set("routes"), elements: [lost] }]), absent);
      assert.throws(() => nft.listElements(set("none")), absent);
      assert.throws(() => nft.list("list table ip nowhere"), absent);
      assert.throws(() => nft.run("delete table ip nowhere\n"), absent);
    });

    test("a table is replaced whole", () => {
      const nft = loaded();
      nft.run(
        `add table ip ${TABLE}\ndelete table ip ${TABLE}\nadd table ip ${TABLE}\nadd set ip ${TABLE} pods { type ipv4_addr; }\n`,
      );
      assert.deepEqual(nft.listElements(set("pods")), []);
      nft.run(`delete table ip ${TABLE}\n`);
      assert.throws(() => nft.list(`list table ip ${TABLE}`), { code: "ENOENT" });
    });

    test("namespaces have tables of their own", () => {
      loaded();
      assert.throws(() => pair().net.nft.list(`list table ip ${TABLE}`), { code: "ENOENT" });
    });
  });

  describe("settings", () => {
    test("each namespace has its own", () => {
      using here = world.kernel.openIn(ns);
      using there = world.kernel.openIn(pair().ns);
      here.sysctl.write("net.ipv4.ip_forward", 1);
      assert.deepEqual(
        [here.sysctl.read("net.ipv4.ip_forward"), there.sysctl.read("net.ipv4.ip_forward")],
        ["1", "0"],
      );
    });

    test("a link whose name has a dot is reached with slashes", () => {
      using here = world.kernel.openIn(ns);
      bridge("flannel.1");
      here.sysctl.write("net/ipv6/conf/flannel.1/accept_ra", 0);
      assert.equal(here.sysctl.read("net/ipv6/conf/flannel.1/accept_ra"), "0");
    });

    test("a pair is the same however it is spaced", () => {
      net.sysctl.write("net.ipv4.ip_local_port_range", "32000 61000");
      assert.equal(net.sysctl.read("net.ipv4.ip_local_port_range"), "32000 61000");
    });

    test("an absent one is refused", () => {
      using here = world.kernel.openIn(ns);
      assert.throws(() => here.sysctl.write("net.ipv4.conf.nowhere.forwarding", 1), { code: "ENOENT" });
    });
  });

  test("in a fresh namespace no socket waits, and nobody holds what is not there", async () => {
    assert.deepEqual(net.sockets.listWaiting(), []);
    assert.deepEqual(await net.sockets.findHolders(new Set([4_294_967_295])), new Map());
    assert.deepEqual(await net.sockets.findHolders(new Set()), new Map());
  });

  describe("namespaces", () => {
    test("a path holds one", () => {
      assert.throws(() => world.kernel.createNetns(world.path("a")), { code: "EEXIST" });
    });

    test("an absent one is not opened, and deleting it is success", () => {
      assert.throws(() => world.kernel.openNetns(world.path("b")), { code: "ENOENT" });
      world.kernel.deleteNetns(world.path("b"));
    });

    test("one that was made is opened again by its path, and deleted twice", () => {
      bridge();
      using again = world.kernel.openNetns(world.path("a"));
      using net = world.kernel.openIn(again);
      assert.ok(net.netlink.findLink("cni0"));
      world.kernel.deleteNetns(world.path("a"));
      world.kernel.deleteNetns(world.path("a"));
      assert.throws(() => world.kernel.openNetns(world.path("a")), { code: "ENOENT" });
      assert.ok(netlink.findLink("cni0"), "a handle outlives the path");
    });

    test("the guard returns what was computed inside, and passes on what was thrown", () => {
      assert.equal(
        world.kernel.inNetns(ns, () => 7),
        7,
      );
      assert.throws(() => world.kernel.inNetns(ns, () => assert.fail("inside")), /inside/);
    });
  });
}

function refused(code: string, f: () => void): void {
  assert.throws(f, (error) => {
    assert.ok(error instanceof NetlinkError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, /^Cannot /);
    return true;
  });
}

function addressIn(prefix: Cidr | string) {
  return parseIp(prefix.split("/")[0] ?? "");
}
