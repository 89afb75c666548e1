/** How long a pod's network takes: namespace, veth, bridge port, address, default route. Ours beside Debian's `bridge` and
 *  `host-local` CNI executables doing the same, turn by turn, in a namespace of their own that is gone afterwards. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ipPrefixOf, nthIp, parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import { openKernel } from "#kernel/open";

const CNI_DIR = "/usr/lib/cni";
const PODS = 100;
const MTU_BYTES = 1450;
const TARGET_MS = 3;

interface Contender {
  readonly name: string;
  /** Wires the pod whose fresh namespace is `ns`. */
  wire(ns: Netns, path: string, n: number): void;
}

/** Prints p50 and p99 of each contender and their ratio. Needs root; leaves nothing behind. */
export async function benchPodSetup({ pods = PODS }: { pods?: number } = {}): Promise<void> {
  using kernel = openKernel();
  using cleanUp = new DisposableStack();
  const netns = (name: string) => {
    const path = join(CLAIMS.netnsDir, `twb-${process.pid}-${name}`);
    cleanUp.defer(() => kernel.deleteNetns(path));
    return { path, ns: cleanUp.use(kernel.createNetns(path)) };
  };
  const node = netns("node");
  const inside = cleanUp.use(kernel.inNetns(node.ns, openKernel));
  const dir = mkdtempSync(join(tmpdir(), "twill-bench-"));
  cleanUp.defer(() => rmSync(dir, { recursive: true }));

  const contenders = [ours(inside)];
  if (existsSync(join(CNI_DIR, "bridge"))) contenders.push(stock(kernel, node.ns, dir));
  else console.log(`no ${CNI_DIR}/bridge: install containernetworking-plugins to compare`);
  const times = contenders.map((): number[] => []);
  // The first turn warms caches of both, and is thrown away.
  for (let n = 0; n <= pods; n++)
    for (const [i, contender] of contenders.entries()) {
      const began = performance.now();
      const { ns, path } = netns(`${i}-${n}`);
      contender.wire(ns, path, n);
      if (n > 0) times[i]?.push(performance.now() - began);
    }
  report(contenders, times);
}

/** The pod's cable through our own netlink. */
function ours(node: Kernel): Contender {
  const cidr = parseCidr("10.98.0.0/16");
  const { netlink } = node;
  const bridge = netlink.addLink({ kind: "bridge", name: "cni0", mtuBytes: MTU_BYTES, isUp: true });
  netlink.addAddress(bridge.index, parseIpPrefix("10.98.0.1/16"));
  return {
    name: "twill",
    wire(ns, _path, n) {
      const veth = netlink.addLink({
        kind: "veth",
        name: `veth${n}`,
        mtuBytes: MTU_BYTES,
        master: bridge.index,
        isUp: true,
        peer: { name: "eth0", netns: ns, mtuBytes: MTU_BYTES },
      });
      netlink.changeLink(veth.index, { hairpin: true });
      using pod = node.openIn(ns);
      const eth0 = veth.parent ?? 0;
      pod.netlink.changeLink(eth0, { isUp: true });
      pod.netlink.addAddress(eth0, ipPrefixOf(nthIp(cidr, n + 2), 16));
      pod.netlink.replaceRoute({ to: parseCidr("0.0.0.0/0"), via: parseIp("10.98.0.1"), link: eth0 });
    },
  };
}

/** The same through the stock executables, which a container runtime starts for every pod. */
function stock(kernel: Kernel, node: Netns, dir: string): Contender {
  const config = JSON.stringify({
    cniVersion: "1.0.0",
    name: "bench",
    type: "bridge",
    bridge: "cni1",
    isDefaultGateway: true,
    hairpinMode: true,
    mtu: MTU_BYTES,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.99.0.0/16" }]], dataDir: dir },
  });
  return {
    name: "bridge + host-local",
    wire(_ns, path, n) {
      const env = {
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: `bench${n}`,
        CNI_NETNS: path,
        CNI_IFNAME: "eth0",
        CNI_PATH: CNI_DIR,
        PATH: process.env["PATH"] ?? "",
      };
      const done = kernel.inNetns(node, () =>
        spawnSync(join(CNI_DIR, "bridge"), { input: config, env, encoding: "utf8" }),
      );
      if (done.status !== 0) throw new Error(`${CNI_DIR}/bridge: ${done.stdout}${done.stderr}`);
    },
  };
}

function report(contenders: readonly Contender[], times: readonly (readonly number[])[]): void {
  const medians = times.map((ms) => percentile(ms, 0.5));
  for (const [i, { name }] of contenders.entries())
    console.log(
      `pod-setup  ${name.padEnd(20)} p50 ${format(medians[i])}  p99 ${format(percentile(times[i] ?? [], 0.99))}  (${times[i]?.length} pods)`,
    );
  const [own = 0, peer] = medians;
  console.log(
    `pod-setup  target p50 < ${TARGET_MS} ms: ${own < TARGET_MS ? "reached" : "missed"}` +
      (peer === undefined ? "" : `; ratio ${(peer / own).toFixed(1)}x faster than bridge + host-local`),
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
