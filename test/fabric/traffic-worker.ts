/** A thread in a pod's namespace that talks without pause to other pods (`pod-worker.ts`): numbered UDP packets, each answered,
 *  and one TCP connection to each, whose bytes are summed up at the other end. */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { CLONE_NEWNET, setns } from "#kernel/ffi/libc";

export interface TrafficOrder {
  readonly netns: string;
  readonly targets: readonly string[];
  readonly everyMs: number;
}

export interface TrafficReport {
  readonly flows: readonly FlowReport[];
  /** Packets that reached this pod while its programs had no time to read, and did not fit any more. */
  readonly overflown: number;
}

export interface FlowReport {
  readonly to: string;
  readonly sent: number;
  /** Numbers of those that were not answered. */
  readonly lost: readonly number[];
  /** Whether all bytes arrived, in order and once. */
  readonly isStreamWhole: boolean;
}

const ECHO_PORT = 7;
const SUM_PORT = 9;
const PATIENCE_MS = 3_000;
const CHUNK_BYTES = 2_000;
/** Of each flow: fewer would be no test. */
const LEAST_SENT = 60;

const { netns, targets, everyMs } = workerData as TrafficOrder;
setns(openSync(netns, "r"), CLONE_NEWNET);

interface Flow {
  readonly to: string;
  sent: number;
  readonly answered: Set<number>;
  readonly tcp: Socket;
  readonly hash: Hash;
  sum: string;
}

const flows = targets.map((to): Flow => {
  const tcp = connect({ host: to, port: SUM_PORT });
  const flow = { to, sent: 0, answered: new Set<number>(), tcp, hash: createHash("sha1"), sum: "" };
  tcp.on("error", () => {});
  tcp.on("data", (data) => {
    flow.sum += data.toString();
  });
  return flow;
});
const sockets = { 4: createSocket("udp4"), 6: createSocket("udp6") };
const socketTo = (to: string) => sockets[to.includes(":") ? 6 : 4];
for (const socket of Object.values(sockets))
  socket.on("message", (message) => {
    const [flow, number] = (message.toString().split(" ")[1] ?? "").split("/").map(Number);
    flows[flow ?? -1]?.answered.add(number ?? -1);
  });

const timer = setInterval(() => {
  for (const [i, flow] of flows.entries()) {
    socketTo(flow.to).send(`${i}/${flow.sent++}`, ECHO_PORT, flow.to);
    if (flow.sent % 10 !== 0) continue;
    const chunk = randomBytes(CHUNK_BYTES);
    flow.hash.update(chunk);
    flow.tcp.write(chunk);
  }
}, everyMs);

async function settle(done: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!done() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function report(): Promise<TrafficReport> {
  await settle(() => flows.every(({ sent }) => sent >= LEAST_SENT));
  clearInterval(timer);
  for (const { tcp } of flows) tcp.end();
  await settle(() => flows.every(({ sent, answered, sum }) => answered.size === sent && sum !== ""));
  const rows = flows.map(({ to, sent, answered, sum, hash }) => {
    const lost = Array.from({ length: sent }, (_, n) => n).filter((n) => !answered.has(n));
    return { to, sent, lost, isStreamWhole: sum === hash.digest("hex") };
  });
  return { flows: rows, overflown: countOverflown() };
}

function countOverflown(): number {
  const [names = "", numbers = ""] = readFileSync("/proc/thread-self/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp: "));
  const v4 = numbers.split(" ")[names.split(" ").indexOf("RcvbufErrors")];
  const v6 = /^Udp6RcvbufErrors\s+(\d+)/m.exec(readFileSync("/proc/thread-self/net/snmp6", "utf8"))?.[1];
  return Number(v4) + Number(v6);
}

parentPort?.on("message", () => {
  void report().then((told) => parentPort?.postMessage(told));
});
parentPort?.postMessage("ready");
