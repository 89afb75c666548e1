/** How long a pod's network takes, from no namespace to a default route: ours beside Debian's CNI executables doing the
 *  same, turn by turn, in a namespace of their own that is gone afterwards. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
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
const MTU_BYTES = 1450;
const TARGET_MS = 3;
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

/** Prints p50 and p99 of each contender and their ratio. Needs root; leaves nothing behind. */
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

/** Milliseconds of every pod, by contender. The first turn warms caches of both, and is thrown away. */
function measure(
  contenders: readonly Contender[],
  pods: number,
  makeNetns: (name: string) => { ns: Netns; path: string },
): readonly (readonly number[])[] {
  const times = contenders.map((): number[] => []);
  for (let n = 0; n <= pods; n++)
    for (const [i, contender] of contenders.entries()) {
      const began = performance.now();
      const { ns, path } = makeNetns(`${i}-${n}`);
      contender.wire(ns, path, n);
      if (n > 0) times[i]?.push(performance.now() - began);
    }
  return times;
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

function report(
  { name: what }: Case,
  contenders: readonly Contender[],
  times: readonly (readonly number[])[],
): void {
  const medians = times.map((ms) => percentile(ms, 0.5));
  for (const [i, { name }] of contenders.entries())
    console.log(
      `pod-setup  ${what}: ${name.padEnd(30)} p50 ${format(medians[i])}  p99 ${format(percentile(times[i] ?? [], 0.99))}  (${times[i]?.length} pods)`,
    );
  const [own = Number.NaN, peer] = medians;
  console.log(
    `pod-setup  ${what}: target p50 < ${TARGET_MS} ms ${own < TARGET_MS ? "reached" : "missed"}` +
      (peer === undefined ? "" : `; ${contenders[1]?.name} takes ${(peer / own).toFixed(1)}x as long`),
  );
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function format(ms: number | undefined): string {
  return `${(ms ?? Number.NaN).toFixed(2)} ms`.padStart(9);
}

if (import.meta.main) await benchPodSetup();
