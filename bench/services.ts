/** `twill bench services`: what routing services costs, beside rule sets of kube-proxy's shapes given to `nft` and `iptables-restore`,
 *  and beside a real kube-proxy named by KUBE_PROXY. Changes from object to kernel, the whole load, memory, the same from the API,
 *  and what packets pay. Needs root; leaves nothing behind. */
import { parseIpPrefix } from "#addr/cidr";
import { summary } from "./api-load.ts";
import { benchFromApi } from "./services-api.ts";
import { ServicesChild } from "./services-child.ts";
import { KernelMemory } from "./services-memory.ts";
import { openBenchNode } from "./services-node.ts";
import type { Shape } from "./services-objects.ts";
import { give, type Peer, peersHere } from "./services-peers.ts";
import type { Outcome } from "./services-process.ts";
import { benchTraffic } from "./services-traffic.ts";

const COUNTS = [100, 1_000, 10_000];
const ENDPOINTS = 10;
const CHANGES = 1_000;
const PEER_CHANGES = 20;
const TARGET_MS = 10;
const TURN_MS = 50;
/** With more, one load of theirs takes minutes. */
const MOST_FOR_IPTABLES = 1_000;
/** Making more takes longer than measuring them. */
const FROM_API = 1_000;
const NODE_PORTS = { services: 10_000, endpoints: ENDPOINTS, nodePorts: 2_000 };
const NODE_ADDRESSES = 6;

interface Figures {
  readonly loadMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly kernelMib: number;
}

export async function benchServices(): Promise<void> {
  for (const services of COUNTS) await benchProgramming({ services, endpoints: ENDPOINTS });
  say(`the same with ${NODE_PORTS.nodePorts} NodePorts at ${NODE_ADDRESSES} addresses:`);
  await measureOurs(NODE_PORTS);
  await benchFromApi({ services: FROM_API, endpoints: ENDPOINTS });
  await benchTraffic({ services: COUNTS.at(-1) ?? 0 });
}

async function benchProgramming(shape: Shape): Promise<void> {
  say(`${shape.services} services of ${shape.endpoints} endpoints, from object to kernel:`);
  const ours = await measureOurs(shape);
  for (const peer of peersHere()) {
    if (peer.program[0] !== "nft" && shape.services > MOST_FOR_IPTABLES) continue;
    const theirs = measurePeer(peer, shape);
    line(peer.name, theirs);
    const times = (of: (figures: Figures) => number) => `${(of(theirs) / of(ours)).toFixed(1)}x`;
    say(
      `    ratio: all ${times(({ loadMs }) => loadMs)}, one change p50 ${times(({ p50Ms }) => p50Ms)}, p99 ${times(({ p99Ms }) => p99Ms)}`,
    );
  }
}

async function measureOurs(shape: Shape): Promise<Figures> {
  await using stack = new AsyncDisposableStack();
  const memory = stack.use(new KernelMemory());
  const node = openBenchNode(stack, "o");
  const link = node.kernel.netlink.findLink("to-c")?.index ?? 0;
  for (let i = 1; i < NODE_ADDRESSES; i++)
    node.kernel.netlink.addAddress(link, parseIpPrefix(`192.0.2.${i}/32`));
  const child = stack.use(new ServicesChild(node.node, memory));
  const empty = await child.tell({ do: "weigh" });
  const before = memory.mib();
  const load = await child.tell({ do: "load", shape });
  const kernelMib = memory.mib() - before;
  const changed = await child.tell({ do: "change", times: CHANGES });
  const again = await child.tell({ do: "restart" });
  const figures = { loadMs: load.ms[0] ?? 0, kernelMib, ...summary(changed.ms, 0) };
  line("twill", figures);
  const stall = (name: string, { ms, turnMs }: Outcome) =>
    `${name} ${(ms[0] ?? 0).toFixed(0)} ms, ${turnMs.toFixed(0)} ms of the thread at a time (aim ${TURN_MS}: ${turnMs < TURN_MS ? "met" : "missed"})`;
  say(
    `    ${stall("all", load)}; ${stall("again over what stands", again)}; p99 aim ${TARGET_MS} ms ${figures.p99Ms < TARGET_MS ? "met" : "missed"}; ${load.heapMib.toFixed(0)} MiB of heap (${empty.heapMib.toFixed(0)} before), ${load.rssMib.toFixed(0)} MiB RSS (${empty.rssMib.toFixed(0)})`,
  );
  return figures;
}

function measurePeer(peer: Peer, shape: Shape): Figures {
  using stack = new DisposableStack();
  const memory = stack.use(new KernelMemory());
  const { node } = openBenchNode(stack, "p");
  const loadMs = give(node, peer, peer.all(shape), memory);
  const kernelMib = memory.mib();
  const times = Array.from({ length: PEER_CHANGES }, (_, n) =>
    give(node, peer, peer.change((n * 7919) % shape.services, shape, n + 1)),
  );
  return { loadMs, kernelMib, ...summary(times, 0) };
}

function line(name: string, { loadMs, p50Ms, p99Ms, kernelMib }: Figures): void {
  say(
    `  ${name.padEnd(32)} all ${loadMs.toFixed(0).padStart(6)} ms; one change p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms; ${kernelMib.toFixed(1)} MiB in the kernel`,
  );
}

function say(text: string): void {
  process.stdout.write(`services  ${text}\n`);
}

if (import.meta.main) await benchServices();
