/** What one answer costs: questions from a closed loop of clients to K3s's Corefile over a cluster in memory, CPU of the
 *  server's process alone. */
import { type ChildProcess, fork } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { encodeName } from "#wire/dns/name";

const SERVICES = 1000;
const CLIENTS = 48;
const RUN_MS = 4000;
const TICKS_PER_SECOND = 100;
/** Names of each kind, and the type that is asked. */
const KINDS = {
  "cluster address": { type: 1, name: (i: number) => `web-${i}.default.svc.cluster.local.` },
  "headless, 3 addresses": { type: 1, name: (i: number) => `db-${i}.default.svc.cluster.local.` },
  "no such name": { type: 1, name: (i: number) => `web-${i}.default.svc.cluster.local.svc.cluster.local.` },
  reverse: { type: 12, name: (i: number) => `${i & 255}.${i >> 8}.43.10.in-addr.arpa.` },
} as const;

/** Prints answers per second and microseconds of CPU per answer for each kind of question. */
export async function benchDns({ services = SERVICES, runMs = RUN_MS } = {}): Promise<void> {
  const server = fork(new URL("./dns-rig.ts", import.meta.url), [String(services)]);
  try {
    const [{ port }] = (await once(server, "message")) as [{ port: number }];
    process.stdout.write(`dns: K3s's Corefile, ${2 * services} services, ${CLIENTS} questions in flight\n`);
    for (const [kind, { type, name }] of Object.entries(KINDS)) {
      const questions = Array.from({ length: services }, (_, i) => encodeAsked(name(i), type));
      await flood(server, port, questions, 500);
      const { answers, cpuSeconds, seconds } = await flood(server, port, questions, runMs);
      const perSecond = (answers / seconds).toFixed(0).padStart(7);
      const micros = ((cpuSeconds * 1e6) / answers).toFixed(1).padStart(6);
      process.stdout.write(`  ${kind.padEnd(24)}${perSecond} answers/s  ${micros} us CPU per answer\n`);
    }
  } finally {
    server.disconnect();
    await once(server, "exit");
  }
}

async function flood(server: ChildProcess, port: number, questions: readonly Buffer[], runMs: number) {
  const beforeTicks = ticksOf(server.pid);
  const started = performance.now();
  const counts = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => client(port, questions, i * 37, started + runMs)),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = (ticksOf(server.pid) - beforeTicks) / TICKS_PER_SECOND;
  return { answers: counts.reduce((sum, count) => sum + count, 0), cpuSeconds, seconds };
}

/** Asks one question after the other until the time is over; resolves with the number of answers. */
function client(port: number, questions: readonly Buffer[], from: number, untilMs: number): Promise<number> {
  const socket = dgram.createSocket("udp4");
  let next = from;
  let answers = 0;
  return new Promise<number>((resolve) => {
    const ask = () => socket.send(questions[next++ % questions.length] ?? "");
    socket.on("message", () => {
      answers++;
      if (performance.now() < untilMs) ask();
      else resolve(answers);
    });
    socket.connect(port, "127.0.0.1", ask);
  }).finally(() => socket.close());
}

function encodeAsked(name: string, type: number): Buffer {
  const tail = Buffer.from([0, type, 0, 1]);
  return Buffer.concat([Buffer.from("000701000001000000000000", "hex"), encodeName(name), tail]);
}

/** User and system time of a process, in ticks. @see proc_pid_stat(5) */
function ticksOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
