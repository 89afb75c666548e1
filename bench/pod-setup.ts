/** How long a pod's network takes, from no namespace to a default route: ours beside Debian's CNI executables doing the
 *  same, by turns, in a namespace of their own that is gone afterwards. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCidr } from "#addr/cidr";
import { openSandboxNetwork } from "#cni/open";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import { silentLog } from "#telemetry/log";

const CNI_DIR = "/usr/lib/cni";
const PODS = 100;
/** Pods come in bursts; a burst of each contender by turns lets neither of them alone meet the machine's noise. */
const BURST = 10;
const MTU_BYTES = 1450;
const TARGET_MS = 3;
/** USER_HZ, the same on every Linux we run on. */
const TICKS_PER_SECOND = 100;
const CONTAINER_PORT = 8080;
const FIRST_HOST_PORT = 20_000;

/** Pods alike: with nothing but a network, or with a port of the node as well. */
interface Case {
  readonly name: string;
  readonly hostPort: boolean;
  readonly peer: string;
}

const CASES: readonly Case[] = [
  { name: "pod", hostPort: false, peer: "bridge + host-local" },
  { name: "pod with a host port", hostPort: true, peer: "bridge + host-local + portmap" },
];

interface Contender {
  readonly name: string;
  /** Wires the pod whose fresh namespace is `ns`. */
  wire(ns: Netns, path: string, n: number): void;
}

/** Where a contender works: a node of its own, and a folder. */
interface Site {
  readonly kernel: Kernel;
  readonly node: Netns;
  readonly dir: string;
}

/** Prints p50, p99 and CPU time of each contender and their ratios; the latter say more on a busy machine. Needs root; leaves nothing behind. */
export async function benchPodSetup({ pods = PODS }: { pods?: number } = {}): Promise<void> {
  for (const [i, which] of CASES.entries()) {
    using cleanUp = new DisposableStack();
    const kernel = cleanUp.use(openKernel());
    const makeNetns = (name: string) => {
      const path = join(CLAIMS.netnsDir, `twb-${process.pid}-${i}-${name}`);
      cleanUp.defer(() => kernel.deleteNetns(path));
      return { path, ns: cleanUp.use(kernel.createNetns(path)) };
    };
    const site = (name: string): Site => {
      const dir = mkdtempSync(join(tmpdir(), "twill-bench-"));
      cleanUp.defer(() => rmSync(dir, { recursive: true }));
      return { kernel, node: makeNetns(name).ns, dir };
    };
    const contenders = [ours(site("ours"), which, cleanUp)];
    if (existsSync(join(CNI_DIR, "bridge"))) contenders.push(stock(site("stock"), which));
    else console.log(`no ${CNI_DIR}/bridge: install containernetworking-plugins to compare`);
    report(which, contenders, measure(contenders, pods, makeNetns));
  }
}

/** What a contender took: each pod's milliseconds, and the CPU milliseconds of all of them, executables included. */
interface Taken {
  readonly wallMs: number[];
  cpuMs: number;
}

/** The first burst of each warms it up, and is thrown away. */
function measure(
  contenders: readonly Contender[],
  pods: number,
  makeNetns: (name: string) => { ns: Netns; path: string },
): readonly Taken[] {
  const taken = contenders.map((): Taken => ({ wallMs: [], cpuMs: 0 }));
  for (let first = 0; first < pods + BURST; first += BURST)
    for (const [i, contender] of contenders.entries()) {
      const cpuBegan = cpuMs();
      const burst = Array.from({ length: BURST }, (_, n) => {
        const began = performance.now();
        const { ns, path } = makeNetns(`${i}-${first + n}`);
        contender.wire(ns, path, first + n);
        return performance.now() - began;
      });
      const sum = taken[i];
      if (first === 0 || !sum) continue;
      sum.wallMs.push(...burst);
      sum.cpuMs += cpuMs() - cpuBegan;
    }
  return taken;
}

/** CPU time of this process and of the children that have ended; the latter in steps of a clock tick. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const childTicks = Number(fields[13]) + Number(fields[14]);
  return (user + system) / 1000 + (childTicks * 1000) / TICKS_PER_SECOND;
}

/** What the agent does when the kubelet's part asks for a sandbox. */
function ours({ kernel, node, dir }: Site, { hostPort }: Case, cleanUp: DisposableStack): Contender {
  const network = openSandboxNetwork({
    kernel: cleanUp.use(kernel.inNetns(node, openKernel)),
    bridge: CLAIMS.devices.bridge,
    mtuBytes: MTU_BYTES,
    podCidrs: [parseCidr("10.98.0.0/16")],
    clusterCidrs: [],
    ipamDir: dir,
    log: silentLog,
  });
  return {
    name: "twill",
    wire(netns, _path, n) {
      const portMappings = hostPort ? [mapping(n)] : [];
      network.add({ containerId: `bench${n}`, ifname: "eth0", netns, portMappings });
    },
  };
}

/** The same through the stock executables, which a container runtime starts for every pod. */
function stock({ kernel, node, dir }: Site, { hostPort, peer }: Case): Contender {
  const common = { cniVersion: "1.0.0", name: "bench" };
  const bridge = {
    ...common,
    type: "bridge",
    bridge: CLAIMS.devices.bridge,
    isDefaultGateway: true,
    hairpinMode: true,
    mtu: MTU_BYTES,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.99.0.0/16" }]], dataDir: dir },
  };
  const add = (config: { type: string }, path: string, n: number): unknown => {
    const env = {
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: `bench${n}`,
      CNI_NETNS: path,
      CNI_IFNAME: "eth0",
      CNI_PATH: CNI_DIR,
      PATH: process.env["PATH"] ?? "",
    };
    const executable = join(CNI_DIR, config.type);
    const done = kernel.inNetns(node, () =>
      spawnSync(executable, { input: JSON.stringify(config), env, encoding: "utf8" }),
    );
    if (done.status !== 0) throw new Error(`${executable}: ${done.stdout}${done.stderr}`);
    return JSON.parse(done.stdout);
  };
  return {
    name: peer,
    wire(_ns, path, n) {
      const prevResult = add(bridge, path, n);
      if (!hostPort) return;
      const runtimeConfig = { portMappings: [mapping(n)] };
      add({ ...common, ...{ type: "portmap", snat: true, runtimeConfig, prevResult } }, path, n);
    },
  };
}

function mapping(n: number) {
  return { hostPort: FIRST_HOST_PORT + n, containerPort: CONTAINER_PORT, protocol: "tcp" };
}

function report({ name: what }: Case, contenders: readonly Contender[], taken: readonly Taken[]): void {
  const rows = taken.map(({ wallMs, cpuMs: cpu }) => ({
    p50: percentile(wallMs, 0.5),
    p99: percentile(wallMs, 0.99),
    cpu: cpu / wallMs.length,
    pods: wallMs.length,
  }));
  for (const [i, { p50, p99, cpu, pods }] of rows.entries())
    console.log(
      `pod-setup  ${what}: ${(contenders[i]?.name ?? "").padEnd(30)} p50 ${format(p50)}  p99 ${format(p99)}  CPU ${format(cpu)}  (${pods} pods)`,
    );
  const [own, peer] = rows;
  if (!own) return;
  const verdict = `target p50 < ${TARGET_MS} ms ${own.p50 < TARGET_MS ? "reached" : "missed"}`;
  const ratio = peer
    ? `; ${contenders[1]?.name} takes ${times(peer.p50, own.p50)} as long and ${times(peer.cpu, own.cpu)} the CPU`
    : "";
  console.log(`pod-setup  ${what}: ${verdict}${ratio}`);
}

function times(a: number, b: number): string {
  return `${(a / b).toFixed(1)}x`;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function format(ms: number): string {
  return `${ms.toFixed(2)} ms`.padStart(9);
}

if (import.meta.main) await benchPodSetup();
