/** What WireGuard does, whoever carries it. Run by every implementation of `Wireguard`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import type { NetKernel, WireguardPeer } from "#kernel/kernel";
import { generatePrivateKey, publicKeyOf } from "#wire/wireguard-key";

export interface WireguardWorld extends Disposable {
  readonly kernel: Pick<NetKernel, "netlink" | "wireguard">;
}

const NAME = "flannel-wg";
const OTHER = "flannel-wg-v6";

export function wireguardContract(openWorld: () => WireguardWorld): void {
  const peers = (world: WireguardWorld) => world.kernel.wireguard.read(NAME)?.peers ?? [];
  const fresh = (): string => publicKeyOf(generatePrivateKey());

  describe("WireGuard", () => {
    test("a device is made once, and taken away once", () => {
      using world = openWorld();
      const { wireguard, netlink } = world.kernel;
      assert.notEqual(wireguard.carrier(), "none");
      assert.equal(wireguard.read(NAME), undefined);
      wireguard.start(NAME);
      const link = netlink.findLink(NAME);
      assert.equal(link?.kind, wireguard.carrier() === "kernel" ? "wireguard" : "tun");
      wireguard.start(NAME);
      assert.equal(netlink.findLink(NAME)?.index, link?.index);
      assert.deepEqual(peers(world), []);
      wireguard.remove(NAME);
      assert.equal(netlink.findLink(NAME), undefined);
      assert.equal(wireguard.read(NAME), undefined);
      wireguard.remove(NAME);
    });

    test("it has the key and port it is told, and a later run finds them", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      const privateKey = generatePrivateKey();
      wireguard.start(NAME);
      wireguard.configure(NAME, { privateKey, listenPort: 51820 });
      wireguard.start(NAME);
      const { publicKey, listenPort } = wireguard.read(NAME) ?? {};
      assert.deepEqual({ publicKey, listenPort }, { publicKey: publicKeyOf(privateKey), listenPort: 51820 });
    });

    test("what is left out of a peer's change stays", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      wireguard.start(NAME);
      const whole: WireguardPeer = {
        publicKey: fresh(),
        presharedKey: generatePrivateKey(),
        endpoint: { ip: parseIp("192.0.2.7"), port: 51820 },
        keepaliveSeconds: 25,
        allowedIps: [parseCidr("10.42.1.0/24"), parseCidr("fd42:0:0:1::/64")],
        receivedBytes: 0,
        sentBytes: 0,
      };
      const { receivedBytes: _, sentBytes: __, ...asked } = whole;
      wireguard.configure(NAME, { peers: [asked] });
      assert.deepEqual(peers(world).map(sorted), [sorted(whole)]);
      const { publicKey } = whole;
      const endpoint = { ip: parseIp("2001:db8::7"), port: 51821 };
      wireguard.configure(NAME, { peers: [{ publicKey, endpoint }] });
      assert.deepEqual(peers(world).map(sorted), [sorted({ ...whole, endpoint })]);
      wireguard.configure(NAME, {
        peers: [{ publicKey, presharedKey: undefined, keepaliveSeconds: 0, allowedIps: [] }],
      });
      const { presharedKey: ___, ...without } = whole;
      assert.deepEqual(peers(world), [{ ...without, endpoint, keepaliveSeconds: 0, allowedIps: [] }]);
    });

    test("a network is one peer's: the last that asked for it", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      wireguard.start(NAME);
      const [first, second] = [fresh(), fresh()];
      const [a, b] = [parseCidr("10.42.1.0/24"), parseCidr("10.42.2.0/24")];
      wireguard.configure(NAME, { peers: [{ publicKey: first, allowedIps: [a, b] }] });
      wireguard.configure(NAME, { peers: [{ publicKey: second, allowedIps: [a] }] });
      const found = new Map(peers(world).map(({ publicKey, allowedIps }) => [publicKey, allowedIps]));
      assert.deepEqual([found.get(first), found.get(second)], [[b], [a]]);
    });

    test("peers go one by one or all at once; absent is success", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      wireguard.start(NAME);
      const keys = [fresh(), fresh(), fresh()];
      wireguard.configure(NAME, { peers: keys.map((publicKey) => ({ publicKey })) });
      const [first = "", ...rest] = keys;
      for (const _ of [1, 2]) wireguard.configure(NAME, { peers: [{ publicKey: first, isRemoved: true }] });
      assert.deepEqual(
        peers(world)
          .map(({ publicKey }) => publicKey)
          .toSorted(),
        rest.toSorted(),
      );
      const last = fresh();
      wireguard.configure(NAME, { replacesPeers: true, peers: [{ publicKey: last }] });
      assert.deepEqual(
        peers(world).map(({ publicKey }) => publicKey),
        [last],
      );
    });

    test("a thousand peers, and a peer of a thousand networks", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      wireguard.start(NAME);
      const allowedIps = Array.from({ length: 1000 }, (_, i) => parseCidr(`10.${i >> 8}.${i & 255}.0/24`));
      const many = Array.from({ length: 1000 }, () => ({ publicKey: fresh(), keepaliveSeconds: 25 }));
      const [first] = many;
      assert.ok(first);
      wireguard.configure(NAME, { peers: [{ ...first, allowedIps }, ...many.slice(1)] });
      const found = peers(world);
      assert.deepEqual(
        found.map(({ publicKey }) => publicKey).toSorted(),
        many.map(({ publicKey }) => publicKey).toSorted(),
      );
      const networks = found.find(({ publicKey }) => publicKey === first.publicKey)?.allowedIps;
      assert.deepEqual(networks?.toSorted(), allowedIps.toSorted());
    });

    test("a device does not take itself for a peer", () => {
      using world = openWorld();
      const { wireguard } = world.kernel;
      wireguard.start(NAME);
      const privateKey = generatePrivateKey();
      wireguard.configure(NAME, { privateKey, peers: [{ publicKey: publicKeyOf(privateKey) }] });
      assert.deepEqual(peers(world), []);
    });

    test("a port that another device has is refused, and free once that is gone", () => {
      using world = openWorld();
      const { wireguard, netlink } = world.kernel;
      for (const name of [NAME, OTHER]) {
        wireguard.start(name);
        netlink.changeLink(netlink.findLink(name)?.index ?? 0, { isUp: true });
      }
      wireguard.configure(NAME, { listenPort: 51820 });
      assert.throws(() => wireguard.configure(OTHER, { listenPort: 51820 }), { code: "EADDRINUSE" });
      wireguard.remove(NAME);
      wireguard.configure(OTHER, { listenPort: 51820 });
      wireguard.start(NAME);
      wireguard.configure(NAME, { listenPort: 51821 });
    });

    test("an absent device is not configured; a name that is taken makes none", () => {
      using world = openWorld();
      const { wireguard, netlink } = world.kernel;
      assert.throws(() => wireguard.configure(NAME, { listenPort: 1 }), { code: "ENODEV" });
      netlink.addLink({ kind: "bridge", name: NAME });
      assert.equal(wireguard.read(NAME), undefined);
      assert.throws(() => wireguard.start(NAME), { code: "EEXIST" });
      wireguard.remove(NAME);
      assert.equal(netlink.findLink(NAME), undefined);
    });
  });
}

function sorted(peer: WireguardPeer): WireguardPeer {
  return { ...peer, allowedIps: peer.allowedIps.toSorted() };
}
