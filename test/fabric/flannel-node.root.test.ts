/** Two of our nodes, and a third that is nothing but typed commands and the annotations that flannel writes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Cidr } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { formatEndpoint, type Ip, parseIp } from "#addr/ip";
import { type FabricBackend, HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { NODES } from "#kube/resources";
import { addVxlan, addVxlanPeer, podNetns, typeIn, Wireguard, wirePod } from "./by-hand.ts";
import { eventually, type Machine } from "./machines.ts";
import { nodeObject, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";
import { byFamily, Rig, type RigPod } from "./rig.ts";

const PREFIX = "flannel.alpha.coreos.com";
const KEYS = {
  4: { data: `${PREFIX}/backend-data`, ip: `${PREFIX}/public-ip` },
  6: { data: `${PREFIX}/backend-v6-data`, ip: `${PREFIX}/public-ipv6` },
} as const;
const NUMBER = 2;
type Said = Readonly<Record<string, string>>;

/** One family of one node, as its Node tells it. */
interface End {
  readonly family: Family;
  readonly ip: Ip;
  readonly subnet: Cidr;
  /** What is inside the JSON of `backend-data`. */
  readonly data: { readonly VtepMAC?: string; readonly PublicKey?: string; readonly Port?: number };
}

interface Hand {
  readonly backend: FabricBackend;
  readonly mtuBytes: number;
  /** Sets the machine up, and returns what its Node is to say. */
  readonly announce: (machine: Machine, stack: AsyncDisposableStack) => Promise<Said>;
  readonly addPeer: (machine: Machine, end: End) => void;
}

const MACS = { 4: "02:aa:bb:cc:dd:04", 6: "02:aa:bb:cc:dd:06" } as const;
const VXLANS = { 4: "flannel.1", 6: "flannel-v6.1" } as const;

const WIREGUARDS = { 4: "flannel-wg", 6: "flannel-wg-v6" } as const;
const wireguards = new Map<Family, Wireguard>();

const HANDS: readonly Hand[] = [
  {
    backend: VXLAN,
    mtuBytes: 1430,
    async announce(machine) {
      const said: Record<string, string> = { [`${PREFIX}/backend-type`]: "vxlan" };
      for (const [i, family] of FAMILIES.entries()) {
        const [subnet, local] = [subnetsOf(NUMBER)[i], machine.ips[i]];
        assert.ok(subnet && local);
        addVxlan(machine, { name: VXLANS[family], local, mac: MACS[family], subnet });
        said[KEYS[family].data] = `{"VNI":1,"VtepMAC":"${MACS[family]}"}`;
        said[KEYS[family].ip] = local;
      }
      return said;
    },
    addPeer(machine, { family, ip, subnet, data }) {
      addVxlanPeer(machine, { name: VXLANS[family], local: ip, mac: data.VtepMAC ?? "", subnet });
    },
  },
  {
    backend: HOST_GW,
    mtuBytes: 1500,
    async announce({ ips }) {
      return {
        [`${PREFIX}/backend-type`]: "host-gw",
        [KEYS[4].data]: "null",
        [KEYS[4].ip]: ips[0],
        [KEYS[6].data]: "null",
        [KEYS[6].ip]: ips[1],
      };
    },
    addPeer({ path }, { ip, subnet }) {
      typeIn(path, `ip route add ${subnet} via ${ip} dev eth0`);
    },
  },
  {
    backend: WIREGUARD,
    mtuBytes: 1420,
    async announce(machine, stack) {
      const privateKeyFile = join(machine.dir, "typed-key");
      const key = execFileSync("wg", ["genkey"], { encoding: "utf8" });
      writeFileSync(privateKeyFile, key, { mode: 0o400 });
      const publicKey = execFileSync("wg", ["pubkey"], { input: key, encoding: "utf8" }).trim();
      const said: Record<string, string> = { [`${PREFIX}/backend-type`]: "wireguard" };
      for (const [i, family] of FAMILIES.entries()) {
        const [subnet, local, port] = [subnetsOf(NUMBER)[i], machine.ips[i], 51_820 + i];
        assert.ok(subnet && local);
        const device = { name: WIREGUARDS[family], port, privateKeyFile, mtuBytes: 1420, subnet };
        wireguards.set(family, stack.use(await Wireguard.add(machine, device)));
        said[KEYS[family].data] = `{"PublicKey":"${publicKey}","Port":${port}}`;
        said[KEYS[family].ip] = local;
      }
      return said;
    },
    addPeer(_, { family, ip, subnet, data }) {
      const { PublicKey: publicKey = "", Port: port = 0 } = data;
      wireguards.get(family)?.addPeer({ publicKey, endpoint: formatEndpoint(ip, port), subnet });
    },
  },
];

for (const hand of HANDS) describe(`a flannel node by hand, ${hand.backend.kind}`, () => testWith(hand));

function testWith(hand: Hand): void {
  const rig = new Rig({ label: `fl${hand.backend.kind.slice(0, 2)}`, families: FAMILIES });
  const stack = new AsyncDisposableStack();
  after(async () => {
    await stack.disposeAsync();
    await rig[Symbol.asyncDispose]();
  });
  let [a, b, c]: readonly (RigPod | undefined)[] = [];
  let three: Machine;

  before(async () => {
    const ours = [await rig.addNode("one", hand.backend), await rig.addNode("two", hand.backend)] as const;
    await rig.converge();
    three = rig.addMachine("three");
    const path = podNetns(rig.machines, three);
    const ips = wirePod(three, { path, subnets: subnetsOf(NUMBER), mtuBytes: hand.mtuBytes });
    const said = await hand.announce(three, stack);
    const node = nodeObject(three, NUMBER);
    const annotations = { [`${PREFIX}/kube-subnet-manager`]: "true", ...said };
    await rig.client.create(NODES, { ...node, metadata: { ...node.metadata, annotations } });
    for (const { machine, number } of ours)
      for (const end of await readEnds(rig, machine.name, subnetsOf(number))) hand.addPeer(three, end);
    [a, b] = [await rig.addPod(ours[0], "a"), await rig.addPod(ours[1], "b")];
    c = { name: "c", netns: basename(path), program: stack.use(await Pod.start(path)), ips };
    for (const { machine } of ours)
      for (const subnet of subnetsOf(NUMBER))
        await eventually(`${machine.name} has a route to three`, () =>
          machine.kernel.netlink.listRoutes(subnet.includes(":") ? 6 : 4).some(({ to }) => to === subnet),
        );
  });

  for (const family of FAMILIES)
    test(`pods of all three reach each other, IPv${family}`, async () => {
      for (const from of [a, b, c])
        for (const to of [a, b, c]) {
          if (!from || !to || from === to) continue;
          const [own, other] = [from.ips.get(family), to.ips.get(family) ?? ""];
          const what = `${from.name} to ${to.name}`;
          assert.equal(await from.program.askTcp(other), own, `${what} by TCP`);
          assert.equal(await from.program.askUdp(other, { bytes: 8_000 }), own, `${what} by UDP`);
          assert.equal(await from.program.sendTcp(other, 200_000), true, `${what}: all of it`);
        }
    });

  test("when it goes nothing leads there any more", async () => {
    await rig.client.delete(NODES, { name: "three" });
    for (const { machine } of rig.nodes) {
      const listed = () =>
        ["ip route", "ip -6 route", "ip neigh", "bridge fdb"]
          .map((line) => typeIn(machine.path, line))
          .join("");
      const gone = [...subnetsOf(NUMBER), ...Object.values(MACS)];
      await eventually("all is gone", () => !gone.some((text) => listed().includes(text)));
    }
  });
}

async function readEnds(rig: Rig, name: string, subnets: readonly Cidr[]): Promise<readonly End[]> {
  const said = (await rig.client.get(NODES, { name })).metadata.annotations ?? {};
  const subnetOf = byFamily(subnets);
  return FAMILIES.flatMap((family) => {
    const [ip, subnet] = [said[KEYS[family].ip], subnetOf.get(family)];
    assert.ok(ip !== undefined && subnet !== undefined);
    const data = (JSON.parse(said[KEYS[family].data] ?? "null") ?? {}) as End["data"];
    return [{ family, ip: parseIp(ip), subnet, data }];
  });
}
