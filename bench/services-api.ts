/** From the API to the kernel: services are made over HTTPS, and a change is over when the node's rules have changed. Ours, and a
 *  real kube-proxy where there is one, on the same server. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseIp } from "#addr/ip";
import { forkRig } from "#apiserver/testing/rig-child";
import { CLAIMS } from "#kernel/claims";
import { openListeningSocket } from "#kernel/listening-socket";
import { inNetns, openNetns } from "#kernel/netns";
import { openClient } from "#kube/http-client";
import { ENDPOINT_SLICES, NODES, SERVICES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { summary, type Target } from "./api-load.ts";
import { kubeProxyVersion, startKubeProxy } from "./kube-proxy.ts";
import { ServicesChild } from "./services-child.ts";
import { KernelMemory } from "./services-memory.ts";
import { type BenchNode, openBenchNode } from "./services-node.ts";
import { type Shape, serviceOf, sliceOf } from "./services-objects.ts";

const WRITERS = 20;
const DEADLINE_MS = 90_000;
const MOST_CHANGES = 300;
const CHANGES_MS = 8_000;

interface Bench {
  readonly target: Target;
  readonly shape: Shape;
  readonly client: ReturnType<typeof openClient>;
  readonly directory: string;
  version: number;
}

export async function benchFromApi(shape: Shape): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "twill-bench-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const target = stack.use(await forkRig({ directory: join(directory, "api") }));
  const client = stack.use(
    openClient({
      server: target.url,
      ca: target.ca,
      ...target.admin,
      clock: systemClock,
      userAgent: "bench",
    }),
  );
  const bench: Bench = { target, shape, client, directory, version: 0 };
  const from = performance.now();
  await fill(bench);
  say(
    `${shape.services} services of ${shape.endpoints} endpoints made over HTTPS in ${((performance.now() - from) / 1000).toFixed(1)} s; from the API to the node's rules:`,
  );
  await measureOurs(bench);
  const version = kubeProxyVersion();
  if (version === undefined) return say("  kube-proxy is not to be had here: name one with KUBE_PROXY");
  await measureKubeProxy(bench, version);
}

async function fill({ client, shape }: Bench): Promise<void> {
  await client.create(NODES, {
    metadata: { name: "here" },
    status: { addresses: [{ type: "InternalIP", address: "169.254.1.1" }] },
  });
  const writers = Array.from({ length: WRITERS }, async (_, first) => {
    for (let i = first; i < shape.services; i += WRITERS) {
      await client.create(SERVICES, serviceOf(i, shape));
      await client.create(ENDPOINT_SLICES, sliceOf(i, shape));
    }
  });
  await Promise.all(writers);
}

async function measureOurs(bench: Bench): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const node = await openNodeWithApi(stack, bench.target, "a0");
  const memory = stack.use(new KernelMemory());
  const child = stack.use(new ServicesChild(node.node, memory));
  await child.tell({ do: "weigh" });
  const before = memory.mib();
  const load = await child.tell({ do: "follow", target: bench.target });
  await standing(node, "twill-service", "frontends", bench.shape.services);
  const kernelMib = memory.mib() - before;
  const times = await changes(bench, node);
  const { rssMib } = await child.tell({ do: "weigh" });
  line("twill", { loadMs: load.ms[0] ?? Number.NaN, times, cpuMs: load.cpuMs, rssMib, kernelMib });
  say(`    the longest turn of its thread: ${load.turnMs.toFixed(0)} ms`);
}

async function measureKubeProxy(bench: Bench, version: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const node = await openNodeWithApi(stack, bench.target, "a1");
  const memory = stack.use(new KernelMemory());
  const from = performance.now();
  const peer = stack.use(startKubeProxy({ ...bench, netns: node.node, mode: "nftables" }));
  memory.take(peer.pid);
  const name = `kube-proxy ${version}`.trim().concat(", nftables");
  try {
    await standing(node, "kube-proxy", "service-ips", bench.shape.services);
  } catch {
    return say(`  ${name}: not there after ${DEADLINE_MS / 1000} s`);
  }
  const loadMs = performance.now() - from;
  const kernelMib = memory.mib();
  await quiet(node);
  const cpuMs = peer.cpuSeconds() * 1000;
  line(name, { loadMs, times: await changes(bench, node), cpuMs, rssMib: peer.rssMib(), kernelMib });
}

/** Changes one endpoint after another. @returns milliseconds of each */
async function changes(bench: Bench, node: BenchNode): Promise<readonly number[]> {
  const times: number[] = [];
  const until = performance.now() + CHANGES_MS;
  for (let n = 0; n < MOST_CHANGES && performance.now() < until; n++) {
    const slice = sliceOf((n * 7919) % bench.shape.services, bench.shape, ++bench.version);
    const before = node.kernel.nft.generation();
    const from = performance.now();
    const { name = "" } = slice.metadata;
    const patch = { endpoints: slice.endpoints };
    await bench.client.patch(ENDPOINT_SLICES, { namespace: "default", name }, patch, { type: "merge" });
    while (node.kernel.nft.generation() === before && performance.now() < from + DEADLINE_MS) await wait(1);
    times.push(performance.now() - from);
  }
  return times;
}

async function standing({ kernel }: BenchNode, table: string, set: string, count: number): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  while (performance.now() < until) {
    try {
      if (kernel.nft.listElements({ family: "ip", table, set }).length >= count) return;
    } catch {
      // Not there yet.
    }
    await wait(50);
  }
  throw new Error(`set ${set} of table ${table} never has ${count} elements`);
}

/** Resolves once nothing has changed for a while. */
async function quiet({ kernel }: BenchNode): Promise<void> {
  for (let last = -1; last !== kernel.nft.generation(); await wait(2_000)) last = kernel.nft.generation();
}

/** A node that reaches the server at the server's own address, by a pipe through this process. */
async function openNodeWithApi(
  stack: AsyncDisposableStack,
  { url }: Target,
  name: string,
): Promise<BenchNode> {
  const node = openBenchNode(stack, name);
  const { hostname, port } = new URL(url);
  using ns = openNetns(join(CLAIMS.netnsDir, node.node));
  let fd = -1;
  inNetns(ns, () => {
    fd = openListeningSocket(parseIp(hostname), Number(port)).disown();
  });
  const piped = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true });
    near.setNoDelay(true).pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    piped.add(near);
    near.on("close", () => piped.delete(near));
  });
  server.listen({ fd });
  await once(server, "listening");
  stack.defer(() => {
    server.close();
    for (const near of piped) near.destroy();
  });
  return node;
}

interface Figures {
  readonly loadMs: number;
  readonly times: readonly number[];
  readonly cpuMs: number;
  readonly rssMib: number;
  readonly kernelMib: number;
}

function line(name: string, { loadMs, times, cpuMs, rssMib, kernelMib }: Figures): void {
  const { p50Ms, p99Ms, count } = summary(times, 0);
  say(
    `  ${name.padEnd(32)} all ${(loadMs / 1000).toFixed(1).padStart(5)} s (${(cpuMs / 1000).toFixed(1)} s of processor time); one change p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms of ${count}; ${rssMib.toFixed(0)} MiB RSS, ${kernelMib.toFixed(0)} MiB in the kernel`,
  );
}

function say(text: string): void {
  process.stdout.write(`services  ${text}\n`);
}

if (import.meta.main)
  await benchFromApi({
    services: Number(process.argv[2] ?? 10_000),
    endpoints: Number(process.argv[3] ?? 10),
  });
