/** Two pods on two machines, by our fabric and by hand, backend by backend. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Cidr } from "#addr/cidr";
import { formatEndpoint, type Ip } from "#addr/ip";
import { type FabricBackend, HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { addVxlan, addVxlanPeer, podNetns, typeIn, Wireguard, wirePod } from "../test/fabric/by-hand.ts";
import { eventually, type Machine, Machines } from "../test/fabric/machines.ts";
import { subnetsOf } from "../test/fabric/node-agent.ts";
import { Rig } from "../test/fabric/rig.ts";

/** Two pods that can reach each other: where the client runs, where the server does, and the server's address. */
export interface Path {
  readonly name: "twill" | "by hand" | "by hand with connection tracking";
  readonly client: string;
  readonly server: string;
  readonly address: string;
}

/** One backend's paths, of the same MTU. */
export interface Paths {
  readonly kind: FabricBackend["kind"];
  readonly mtuBytes: number;
  readonly ours: Path;
  readonly byHand: Path;
  /** With what every cluster's node has, whatever its network: a rule that translates addresses, and so tracks connections. */
  readonly tracked: Path;
}

/** As flannel has it, in the fewest rules. */
const MASQUERADING = `add table ip nat
add chain ip nat postrouting { type nat hook postrouting priority 100; }
add rule ip nat postrouting ip saddr 10.42.0.0/16 ip daddr != 10.42.0.0/16 masquerade
`;

interface Hand {
  readonly backend: FabricBackend;
  /** Joins two machines whose pods are wired already. */
  readonly join: (ends: readonly [End, End], mtuBytes: number, stack: AsyncDisposableStack) => Promise<void>;
}

interface End {
  readonly machine: Machine;
  readonly ip: Ip;
  readonly subnet: Cidr;
}

const HANDS: readonly Hand[] = [
  { backend: VXLAN, join: joinVxlan },
  { backend: HOST_GW, join: joinHostGw },
  { backend: WIREGUARD, join: joinWireguard },
];

/** Those of every backend, all standing until `stack` is disposed. */
export async function openPaths(stack: AsyncDisposableStack): Promise<readonly Paths[]> {
  const all: Paths[] = [];
  for (const hand of HANDS) {
    const { path: ours, mtuBytes } = await openOurs(stack, hand.backend);
    const byHand = await openByHand(stack, hand, { mtuBytes, name: "by hand" });
    const tracked = await openByHand(stack, hand, { mtuBytes, name: "by hand with connection tracking" });
    all.push({ kind: hand.backend.kind, mtuBytes, ours, byHand, tracked });
  }
  return all;
}

async function openOurs(stack: AsyncDisposableStack, backend: FabricBackend) {
  const rig = stack.use(new Rig({ label: `a${backend.kind.slice(0, 2)}`, families: [4] }));
  const [one, two] = [await rig.addNode("one", backend), await rig.addNode("two", backend)];
  await rig.converge();
  const [a, b] = [await rig.addPod(one, "a"), await rig.addPod(two, "b")];
  const address = b.ips.get(4) ?? "";
  // The first packets make a tunnel that has to be agreed on, and teach neighbours each other.
  const { program } = a;
  let answered = false;
  void askUntil(() => program.askUdp(address, { patienceMs: 200 })).then(() => {
    answered = true;
  });
  await eventually("the pods talk", () => answered);
  const path: Path = { name: "twill", client: a.netns, server: b.netns, address };
  return { path, mtuBytes: one.agent.ready.mtuBytes };
}

async function askUntil(ask: () => Promise<unknown>): Promise<void> {
  while ((await ask()) === undefined);
}

async function openByHand(
  stack: AsyncDisposableStack,
  { backend, join: connect }: Hand,
  { mtuBytes, name }: Pick<Paths, "mtuBytes"> & Pick<Path, "name">,
): Promise<Path> {
  const label = name === "by hand" ? "b" : "c";
  const machines = stack.use(new Machines(`twt-${process.pid}-${label}${backend.kind.slice(0, 2)}`));
  const ends = [0, 1].map((number) => {
    const machine = machines.add(`m${number}`, { families: [4] });
    const [subnet] = subnetsOf(number, [4]);
    if (subnet === undefined) throw new Error("broken invariant: a subnet");
    return { machine, ip: machine.ips[0], subnet };
  });
  const [a, b] = ends;
  if (!a || !b) throw new Error("broken invariant: two ends");
  const pods = [a, b].map(({ machine, subnet }) => {
    const path = podNetns(machines, machine);
    return { path, address: wirePod(machine, { path, subnets: [subnet], mtuBytes }).get(4) ?? "" };
  });
  await connect([a, b], mtuBytes, stack);
  if (name !== "by hand") for (const { machine } of ends) machine.kernel.nft.run(MASQUERADING);
  const [client, server] = pods;
  if (!client || !server) throw new Error("broken invariant: two pods");
  return {
    name,
    client: basename(client.path),
    server: basename(server.path),
    address: server.address,
  };
}

async function joinVxlan(ends: readonly [End, End], mtuBytes: number): Promise<void> {
  const named = ends.map(({ ip, subnet }, i) => ({
    name: "vxlan1",
    local: ip,
    mac: `02:00:00:00:00:0${i}`,
    subnet,
  }));
  for (const [i, { machine }] of ends.entries()) {
    const [own, peer] = [named[i], named[1 - i]];
    if (!own || !peer) throw new Error("broken invariant: two ends");
    addVxlan(machine, own);
    typeIn(machine.path, `ip link set vxlan1 mtu ${mtuBytes}`);
    addVxlanPeer(machine, peer);
  }
}

async function joinHostGw([a, b]: readonly [End, End]): Promise<void> {
  typeIn(a.machine.path, `ip route add ${b.subnet} via ${b.ip} dev eth0`);
  typeIn(b.machine.path, `ip route add ${a.subnet} via ${a.ip} dev eth0`);
}

async function joinWireguard(ends: readonly [End, End], mtuBytes: number, stack: AsyncDisposableStack) {
  const made = [];
  for (const { machine, subnet } of ends) {
    const privateKey = execFileSync("wg", ["genkey"], { encoding: "utf8" });
    const publicKey = execFileSync("wg", ["pubkey"], { encoding: "utf8", input: privateKey }).trim();
    const privateKeyFile = join(machine.dir, "wg.key");
    writeFileSync(privateKeyFile, privateKey, { mode: 0o600 });
    const device = { name: "wg0", port: 51_820, privateKeyFile, mtuBytes, subnet };
    made.push({ publicKey, device: stack.use(await Wireguard.add(machine, device)) });
  }
  for (const [i, { device }] of made.entries()) {
    const [peer, end] = [made[1 - i], ends[1 - i]];
    if (!peer || !end) throw new Error("broken invariant: two ends");
    device.addPeer({
      publicKey: peer.publicKey,
      endpoint: formatEndpoint(end.ip, 51_820),
      subnet: end.subnet,
    });
  }
}
