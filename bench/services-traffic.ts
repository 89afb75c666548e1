/** What packets pay: of a new connection, and of one that stands. The same two pods, on a node of its own for each set of rules,
 *  turn by turn. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { median } from "./fabric-load.ts";
import { ServicesChild } from "./services-child.ts";
import { type BenchNode, openBenchNode } from "./services-node.ts";
import { PROBE } from "./services-objects.ts";
import { give, peersHere } from "./services-peers.ts";
import { connects, Flow } from "./services-sockets.ts";

const ANSWERER = fileURLToPath(new URL("./services-answerer.ts", import.meta.url));
const CONNECTIONS = 100;
const FLOW_MS = 25;
const ROUNDS = 40;
/** What else the machine does only adds: the quickest turns tell what packets cost. */
const QUIET = 0.1;

/** What any cluster's node has: a rule that translates, and so tracks connections. */
const TRACKED = `add table ip fabric
add chain ip fabric postrouting { type nat hook postrouting priority 100; }
add rule ip fabric postrouting ip saddr 10.42.0.0/16 ip daddr != 10.42.0.0/16 masquerade
`;

interface Lane {
  readonly name: string;
  readonly node: BenchNode;
  /** Whether the service is there. */
  readonly isRouted: boolean;
  readonly connectUs: number[];
  readonly perSecond: number[];
  readonly serviceNs: number[];
  readonly directNs: number[];
}

export async function benchTraffic({
  services,
  rounds = ROUNDS,
}: {
  services: number;
  rounds?: number;
}): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const lanes = await openLanes(stack, services);
  await startAnswerer(stack, lanes);
  using _ = pinned();
  for (let round = 0; round <= rounds; round++) {
    for (const lane of round % 2 === 0 ? lanes : lanes.toReversed()) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      measure(lane, round > 0);
    }
  }
  report(lanes);
}

async function openLanes(stack: AsyncDisposableStack, services: number): Promise<readonly Lane[]> {
  const lanes: Lane[] = [];
  const open = (name: string, isRouted: boolean): BenchNode => {
    const node = openBenchNode(stack, `t${lanes.length}`);
    lanes.push({ name, node, isRouted, connectUs: [], perSecond: [], serviceNs: [], directNs: [] });
    return node;
  };
  open("no rules", false);
  open("tracked, no services", false).kernel.nft.run(TRACKED);
  for (const count of [10, services]) {
    const node = open(`twill, ${count} services`, true);
    node.kernel.nft.run(TRACKED);
    const child = stack.use(new ServicesChild(node.node));
    await child.tell({ do: "load", shape: { services: count, endpoints: 3 } });
  }
  for (const peer of peersHere())
    for (const count of [10, services]) {
      const node = open(`${peer.name}, ${count}`, true);
      node.kernel.nft.run(TRACKED);
      give(node.node, peer, peer.all({ services: count, endpoints: 3 }));
    }
  return lanes;
}

function measure({ node, isRouted, ...into }: Lane, counts: boolean): void {
  const pod = { ip: PROBE.podIp, port: PROBE.podPort };
  const service = { ip: PROBE.clusterIP, port: PROBE.port };
  const made = connects(node.client, isRouted ? service : pod, CONNECTIONS);
  const directNs = established(node, pod);
  const serviceNs = isRouted ? established(node, service) : Number.NaN;
  if (!counts) return;
  into.connectUs.push(...made.us);
  into.perSecond.push(made.perSecond);
  into.directNs.push(directNs);
  into.serviceNs.push(serviceNs);
}

/** Nanoseconds for each packet of a flow that has been answered. */
function established(node: BenchNode, to: { ip: string; port: number }): number {
  using flow = new Flow(node, to, { ip: PROBE.podIp, port: PROBE.podPort });
  return flow.nsPerPacket(FLOW_MS);
}

function report(lanes: readonly Lane[]): void {
  const tracked = lanes[1];
  say(
    `pod to pod on one node, one sender; connections to the ClusterIP where there is one; packets by the quickest tenth of ${ROUNDS} turns, beside those of a node that tracks connections:`,
  );
  for (const lane of lanes) {
    const at = (q: number) => quantile(lane.connectUs, q).toFixed(1).padStart(6);
    const own = quantile(lane.directNs, QUIET);
    const more = own - quantile(tracked?.directNs ?? [], QUIET);
    const service = lane.isRouted ? `, to the service ${quantile(lane.serviceNs, QUIET).toFixed(0)} ns` : "";
    say(
      `  ${lane.name.padEnd(36)} connect p10 ${at(QUIET)}, p50 ${at(0.5)}, p99 ${at(0.99)} us, ${median(lane.perSecond).toFixed(0).padStart(6)}/s; a flow's packet to a pod ${own.toFixed(0)} ns (${more >= 0 ? "+" : ""}${more.toFixed(0)})${service}`,
    );
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(q * sorted.length)] ?? Number.NaN;
}

async function startAnswerer(stack: AsyncDisposableStack, lanes: readonly Lane[]): Promise<void> {
  const servers = lanes.map(({ node }) => node.server);
  const child = spawn(process.execPath, [ANSWERER, String(PROBE.podPort), ...servers], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  stack.defer(async () => {
    const gone = once(child, "exit");
    child.stdin.end();
    await gone;
  });
  await once(child.stdout, "data");
  spawnSync("taskset", ["-acp", "1", String(child.pid)]);
}

/** This process on one processor and the answering one on another, until disposed. */
function pinned(): Disposable {
  const { stdout } = spawnSync("taskset", ["-p", String(process.pid)], { encoding: "utf8" });
  const before = stdout?.trim().split(" ").at(-1);
  spawnSync("taskset", ["-acp", "0", String(process.pid)]);
  return {
    [Symbol.dispose]: () => void (before && spawnSync("taskset", ["-ap", before, String(process.pid)])),
  };
}

function say(text: string): void {
  process.stdout.write(`services  ${text}\n`);
}

if (import.meta.main) await benchTraffic({ services: Number(process.argv[2] ?? 10_000) });
