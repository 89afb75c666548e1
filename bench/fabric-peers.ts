/** What a thousand peers cost an agent: the time until the kernel holds all that leads to them, memory, and processor time
 *  while nothing happens but first probes: of peers on paper, which never answer, so that each costs all its tries. */
import { readFileSync } from "node:fs";
import { ipPrefixOf, nthIp, parseCidr, prefixLength } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { type FabricBackend, HOST_GW, VXLAN } from "#fabric/model";
import { AgentChild } from "../test/fabric/agent-child.ts";
import { type PaperNode, paperNode } from "../test/fabric/kernel-listing.ts";
import { type Machine, Machines } from "../test/fabric/machines.ts";
import { nodeObject } from "../test/fabric/node-agent.ts";

const PEERS = 1_000;
const IDLE_MS = 10_000;
const CLUSTER = [parseCidr("10.32.0.0/12"), parseCidr("fd42::/48")];
const LAN = { 4: parseCidr("198.18.0.0/15"), 6: parseCidr("2001:db8:2::/64") };
/** Of the kernel's clock that processor time is told in. */
const TICKS_PER_SECOND = 100;

export async function benchPeers(): Promise<void> {
  for (const backend of [VXLAN, HOST_GW]) await benchBackend(backend);
}

async function benchBackend(backend: FabricBackend): Promise<void> {
  using machines = new Machines(`twt-${process.pid}-pe`);
  const machine = machines.add("one");
  const { netlink } = machine.kernel;
  const eth0 = netlink.findLink("eth0")?.index ?? 0;
  for (const family of FAMILIES) {
    const lan = LAN[family];
    netlink.addAddress(eth0, ipPrefixOf(nthIp(lan, 1), prefixLength(lan)), { noDad: true });
  }
  const own = nodeObject({ ...machine, cluster: CLUSTER }, 0);
  await using child = AgentChild.spawn(machine, [own], backend, CLUSTER);
  await child.report;
  await idle(1_000);
  const empty = memoryMb(child.pid);
  const busy = cpuSeconds(child.pid);
  const start = performance.now();
  child.tell([own, ...Array.from({ length: PEERS }, (_, i) => paperNode(paper(i + 1, backend)))]);
  while (routes(machine) < PEERS * FAMILIES.length) await idle(5);
  const tookMs = performance.now() - start;
  const spent = cpuSeconds(child.pid) - busy;
  await idle(2_000);
  const before = cpuSeconds(child.pid);
  await idle(IDLE_MS);
  const share = ((cpuSeconds(child.pid) - before) / (IDLE_MS / 1000)) * 100;
  const memory = memoryMb(child.pid);
  process.stdout.write(
    `fabric  ${PEERS} peers in both families, ${backend.kind}: ${tookMs.toFixed(0)} ms until all stand (${spent.toFixed(2)} s of processor time, the in-memory API's and its messages' included), ${(memory - empty).toFixed(0)} MB more (${memory.toFixed(0)} in all), ${share.toFixed(1)} % of a processor while each is probed for the first time, and none answers\n`,
  );
}

function paper(number: number, { kind }: FabricBackend): PaperNode {
  const hex = number.toString(16).padStart(4, "0");
  const mac = (family: number) => `02:00:0${family}:00:${hex.slice(0, 2)}:${hex.slice(2)}`;
  const ips = [nthIp(LAN[4], 1_000 + number), nthIp(LAN[6], 1_000 + number)] as const;
  return { name: `paper-${number}`, number, kind, ips, macs: [mac(4), mac(6)], cluster: CLUSTER };
}

function routes({ kernel }: Machine): number {
  return FAMILIES.reduce(
    (sum, family) => sum + kernel.netlink.listRoutes(family).filter(({ protocol }) => protocol === 84).length,
    0,
  );
}

function idle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function memoryMb(pid: number): number {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
