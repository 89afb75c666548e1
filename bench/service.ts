/** What 10 000 services cost the kernel: the first load, and one endpoint's change from the object to the committed
 *  transaction. Beside it, in a namespace of its own, `nft -f` with a chain and a rule for each service. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCidr } from "#addr/cidr";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import type { ServiceConfig } from "#service/model";
import { runServiceProxy } from "#service/run";
import { MemoryInformer } from "#service/testing/memory-informer";
import { serviceObject, sliceObject } from "#service/testing/objects";
import { silentLog } from "#telemetry/log";

const SERVICES = 10_000;
const ENDPOINTS = 3;
const CHANGES = 2000;
const PEER_CHANGES = 30;
const TARGET_MS = 10;
const CONFIG: ServiceConfig = {
  localPods: { kind: "cidrs", cidrs: [parseCidr("10.42.0.0/16")] },
  serviceCidrs: [parseCidr("10.43.0.0/16")],
};

interface Figures {
  readonly loadMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Prints both and their ratios. Needs root; leaves nothing behind. */
export async function benchService({ services = SERVICES }: { services?: number } = {}): Promise<void> {
  const ours = await inNamespace("ours", (net) => measureOurs(net, services));
  const peer = await inNamespace("peer", (_, name) => measurePeer(name, services));
  const line = (name: string, { loadMs, p50Ms, p99Ms }: Figures) =>
    `  ${name.padEnd(28)}load ${loadMs.toFixed(0).padStart(6)} ms   change p50 ${p50Ms.toFixed(2).padStart(7)} ms   p99 ${p99Ms.toFixed(2).padStart(7)} ms\n`;
  process.stdout.write(`services: ${services} of ${ENDPOINTS} endpoints, object to kernel\n`);
  process.stdout.write(line("elements of a fixed program", ours) + line("nft -f, chain per service", peer));
  process.stdout.write(
    `  ratio: load ${(peer.loadMs / ours.loadMs).toFixed(0)}x, change p50 ${(peer.p50Ms / ours.p50Ms).toFixed(0)}x, p99 ${(peer.p99Ms / ours.p99Ms).toFixed(0)}x; p99 target ${TARGET_MS} ms ${ours.p99Ms < TARGET_MS ? "met" : "missed"}\n`,
  );
}

async function inNamespace<T>(
  name: string,
  f: (net: NetKernel, netns: string) => T | Promise<T>,
): Promise<T> {
  using cleanUp = new DisposableStack();
  const kernel = cleanUp.use(openKernel());
  const netns = `twb-${process.pid}-${name}`;
  const path = join(CLAIMS.netnsDir, netns);
  cleanUp.defer(() => kernel.deleteNetns(path));
  const ns = cleanUp.use(kernel.createNetns(path));
  return await f(cleanUp.use(kernel.openIn(ns)), netns);
}

async function measureOurs(kernel: NetKernel, count: number): Promise<Figures> {
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const nodes = new MemoryInformer<Node>();
  for (let i = 0; i < count; i++) {
    services.put(serviceOf(i));
    endpointSlices.put(sliceOf(i, 0));
  }
  const ending = new AbortController();
  let round = Promise.withResolvers<void>();
  const running = runServiceProxy({
    kernel,
    services,
    endpointSlices,
    nodeName: "here",
    nodes,
    config: CONFIG,
    clock: systemClock,
    log: silentLog,
    signal: ending.signal,
    onRound: ({ faults }) => {
      if (faults[0]) round.reject(faults[0]);
      round.resolve();
    },
  });
  const timed = async (f: () => void): Promise<number> => {
    round = Promise.withResolvers();
    const from = performance.now();
    f();
    await round.promise;
    return performance.now() - from;
  };
  const loadMs = await timed(() => {
    services.sync();
    endpointSlices.sync();
    nodes.sync();
  });
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const slice = sliceOf((n * 7919) % count, n + 1);
    times.push(await timed(() => endpointSlices.put(slice)));
  }
  ending.abort();
  await running;
  return { loadMs, ...quantiles(times) };
}

function measurePeer(netns: string, count: number): Figures {
  const dir = mkdtempSync(join(tmpdir(), "twill-bench-"));
  try {
    const run = (text: string): number => {
      const file = join(dir, "rules.nft");
      writeFileSync(file, text);
      const from = performance.now();
      const { status, stderr } = spawnSync("ip", ["netns", "exec", netns, "nft", "-f", file], {
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(`nft: ${stderr}`);
      return performance.now() - from;
    };
    const loadMs = run(peerRuleset(count));
    const times: number[] = [];
    for (let n = 0; n < PEER_CHANGES; n++) {
      const i = (n * 7919) % count;
      times.push(run(`flush chain ip peer s${i}\nadd rule ip peer s${i} ${peerRule(i, n + 1)}\n`));
    }
    return { loadMs, ...quantiles(times) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function peerRuleset(count: number): string {
  const all = Array.from({ length: count }, (_, i) => i);
  const chains = all.map((i) => `  chain s${i} { ${peerRule(i, 0)}; }\n`).join("");
  const elements = all.map((i) => `${clusterIp(i)} . tcp . 80 : goto s${i}`).join(", ");
  return `table ip peer {
${chains}  map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { ${elements} } }
  chain nat { type nat hook prerouting priority -100; ip daddr . meta l4proto . th dport vmap @services; }
}\n`;
}

function peerRule(i: number, version: number): string {
  const map = backends(i, version).map((ip, n) => `${n} : ${ip} . 8080`);
  return `meta l4proto tcp dnat ip to numgen random mod ${ENDPOINTS} map { ${map.join(", ")} }`;
}

function serviceOf(i: number): Service {
  return serviceObject({ name: `s${i}`, clusterIP: clusterIp(i) });
}

function sliceOf(i: number, version: number): EndpointSlice {
  const endpoints = backends(i, version).map((ip) => ({ ip, nodeName: "there" }));
  return sliceObject({ service: `s${i}`, endpoints });
}

function clusterIp(i: number): string {
  return `10.43.${i >> 8}.${i & 255}`;
}

/** One of the endpoints differs with each version. */
function backends(i: number, version: number): string[] {
  const last = `10.42.${200 + (version % 50)}.${i % 250}`;
  return [`10.42.${i % 100}.${i % 250}`, `10.42.${100 + (i % 100)}.${i % 250}`, last];
}

function quantiles(times: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
