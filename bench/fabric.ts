/** Pod to pod across two machines: through our fabric, and through a VXLAN made by hand with `ip` on two machines of the same
 *  build, turn by turn in one run. Ours carries its nftables tables and connection tracking, the other none; ours has one
 *  queue a cable, where `ip` leaves one per processor. Needs root and iperf3; leaves nothing behind. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { addressOf, nthIp } from "#addr/cidr";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import { eventually, type Machine, Machines } from "../test/fabric/machines.ts";
import { type NodeAgent, nodeObject, startAgent, subnetsOf } from "../test/fabric/node-agent.ts";

const ROUNDS = 8;
const SECONDS = 2;
const TARGET = 0.98;

/** Two pods that can reach each other: where the client runs, where the server does, and the server's address. */
interface Path {
  readonly name: string;
  readonly client: string;
  readonly server: string;
  readonly address: string;
}

/** Prints the throughput of both and the median of the rounds' ratios, which it returns. */
export async function benchFabric({ rounds = ROUNDS, seconds = SECONDS } = {}): Promise<{ ratio: number }> {
  await using stack = new AsyncDisposableStack();
  const { path: ours, mtuBytes } = await openOurs(stack);
  const byHand = openByHand(stack, mtuBytes);
  const results: { ours: number; byHand: number }[] = [];
  // The first round warms both up, and is thrown away.
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? [ours, byHand] : [byHand, ours];
    const speeds = new Map<Path, number>();
    for (const path of order) speeds.set(path, await measure(path, seconds));
    if (round > 0) results.push({ ours: speeds.get(ours) ?? 0, byHand: speeds.get(byHand) ?? 0 });
  }
  return report(results, mtuBytes);
}

async function openOurs(stack: AsyncDisposableStack): Promise<{ path: Path; mtuBytes: number }> {
  const machines = stack.use(new Machines(`twb-${process.pid}a`));
  const client = openFakeClient();
  const pair = [machines.add("one"), machines.add("two")] as const;
  const agents: NodeAgent[] = [];
  for (const [i, machine] of pair.entries()) await client.create(NODES, nodeObject(machine, i));
  for (const machine of pair) agents.push(stack.use(await startAgent(machine, client)));
  for (const { kernel } of pair)
    await eventually("the route to the peer", () =>
      kernel.netlink.listRoutes(4).some(({ onlink }) => onlink),
    );
  const pods = agents.map(({ network }, i) => {
    const { ns, path } = machines.netns(`pod${i}`);
    const { ips } = network.add({ containerId: `pod${i}`, ifname: "eth0", netns: ns });
    return { path, address: ips[0] ? addressOf(ips[0]) : "" };
  });
  const [a, b] = pods;
  if (!a || !b) throw new Error("broken invariant: two pods");
  const path = { name: "twill", client: basename(a.path), server: basename(b.path), address: b.address };
  return { path, mtuBytes: agents[0]?.ready.mtuBytes ?? 0 };
}

function openByHand(stack: AsyncDisposableStack, mtuBytes: number): Path {
  const machines = stack.use(new Machines(`twb-${process.pid}b`));
  const pair = [machines.add("one"), machines.add("two")] as const;
  const pods = pair.map((machine, i) => {
    const other = pair[1 - i];
    if (!other) throw new Error("broken invariant: two machines");
    return wireByHand(machine, other, machines.netns(`pod${i}`).path, i, mtuBytes);
  });
  const [a, b] = pods;
  if (!a || !b) throw new Error("broken invariant: two pods");
  return { name: "by hand", client: a.netns, server: b.netns, address: b.address };
}

/** What one would type on each machine: a VXLAN, a bridge, a pod's cable, and a plain route to the other's pods. */
function wireByHand(machine: Machine, other: Machine, podPath: string, number: number, mtuBytes: number) {
  const [own, peer] = [subnetsOf(number)[0], subnetsOf(1 - number)[0]];
  if (!own || !peer) throw new Error("broken invariant: subnets");
  const mac = (n: number) => `02:00:00:00:00:0${n}`;
  const netns = basename(podPath);
  const address = nthIp(own, 2);
  const ip = (...args: readonly string[]) => ipIn(machine.path, args);
  const vxlan = ["id", "1", "dev", "eth0", "local", machine.ips[0], "dstport", "8472", "nolearning"];
  ip("link", "add", "vxlan1", "address", mac(number), "mtu", String(mtuBytes), "type", "vxlan", ...vxlan);
  ip("link", "set", "vxlan1", "up");
  ip("addr", "add", `${addressOf(own)}/32`, "dev", "vxlan1");
  ip("link", "add", "br0", "mtu", String(mtuBytes), "type", "bridge");
  ip("addr", "add", `${nthIp(own, 1)}/24`, "dev", "br0");
  ip("link", "set", "br0", "up");
  const inner = ["peer", "name", "eth0", "netns", netns, "mtu", String(mtuBytes)];
  ip("link", "add", "pod", "mtu", String(mtuBytes), "type", "veth", ...inner);
  ip("link", "set", "pod", "up", "master", "br0");
  ip("neigh", "add", addressOf(peer), "lladdr", mac(1 - number), "dev", "vxlan1", "nud", "permanent");
  ip("route", "add", peer, "via", addressOf(peer), "dev", "vxlan1", "onlink");
  inNetns(machine.path, "bridge", ["fdb", "append", mac(1 - number), "dev", "vxlan1", "dst", other.ips[0]]);
  machine.kernel.sysctl.write("net/ipv4/conf/all/forwarding", 1);
  ipIn(podPath, ["addr", "add", `${address}/24`, "dev", "eth0"]);
  ipIn(podPath, ["link", "set", "eth0", "up"]);
  ipIn(podPath, ["route", "add", "default", "via", nthIp(own, 1)]);
  return { netns, address };
}

function ipIn(netnsPath: string, args: readonly string[]): void {
  inNetns(netnsPath, "ip", args);
}

function inNetns(netnsPath: string, command: string, args: readonly string[]): void {
  execFileSync("ip", ["netns", "exec", basename(netnsPath), command, ...args], { stdio: "inherit" });
}

/** @returns bits per second that arrived */
async function measure({ client, server, address }: Path, seconds: number): Promise<number> {
  const listening = spawn("ip", ["netns", "exec", server, "iperf3", "-s", "-1", "--forceflush"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(listening, "exit");
  await once(listening.stdout, "data");
  const args = ["netns", "exec", client, "iperf3", "-c", address, "-t", String(seconds), "-J"];
  const asking = spawn("ip", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  asking.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(asking, "close");
  await gone;
  const result = JSON.parse(text) as {
    error?: string;
    end?: { sum_received?: { bits_per_second?: number } };
  };
  const speed = result.end?.sum_received?.bits_per_second;
  if (speed === undefined) throw new Error(`iperf3: ${result.error ?? text.slice(0, 200)}`);
  return speed;
}

function report(results: readonly { ours: number; byHand: number }[], mtuBytes: number): { ratio: number } {
  const ratio = median(results.map((round) => round.ours / round.byHand));
  const gigabits = (values: readonly number[]) => `${(median(values) / 1e9).toFixed(2)} Gbit/s`;
  const rounds = `${results.length} rounds, MTU ${mtuBytes}`;
  console.log(`fabric  twill    ${gigabits(results.map(({ ours }) => ours))}  (${rounds})`);
  console.log(`fabric  by hand  ${gigabits(results.map(({ byHand }) => byHand))}  (${rounds})`);
  console.log(
    `fabric  ratio ${ratio.toFixed(3)}; target >= ${TARGET}: ${ratio >= TARGET ? "reached" : "missed"}`,
  );
  return { ratio };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

if (import.meta.main) await benchFabric();
