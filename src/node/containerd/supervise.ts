import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { explain, Fault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { startTicksOf } from "../runtime/process/identity.ts";
import { answersCri } from "./answers.ts";
import { argumentsFor, CONFIG_VARIABLE, findContainerd } from "./find-process.ts";
import { lastLines, rotateLog, sizeOf } from "./log-file.ts";

export interface DaemonSpec {
  readonly program: string;
  readonly logLevel: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: string;
  /** Of everything that a running containerd would have to be started again for. */
  readonly configHash: string;
  readonly socket: string;
  readonly log: string;
}

interface Life {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Daemon {
  readonly pid: number;
  readonly startTicks: string;
  /** Where in the log its own lines begin. */
  readonly logFrom?: number;
}

const LOOK_EVERY_MS = 200;
const ASK_EVERY_MS = 50;
const ANSWER_MS = 2_000;
/** Opening a large store takes a few seconds. */
const PATIENCE_MS = 15_000;
const RESTART = { firstMs: 100, maxMs: 30_000 };
/** A daemon that lived so long had started well: the next one is not made to wait for what happened before. */
const LIVED_MS = 60_000;
const STOP_MS = 10_000;
const ROTATE_EVERY_MS = 60_000;
const SAID_LINES = 3;

/** Keeps one containerd running until aborted: takes over one that already runs with the same configuration, ends one with
 *  another, starts a new one whenever it has ended. It outlives us on purpose: while none runs, containers that write much
 *  have to wait, because containerd itself moves their output into the log files. Its shims outlive both.
 *  `onReady` is called whenever one answers the CRI. */
export async function superviseContainerd(spec: DaemonSpec, life: Life, onReady: () => void): Promise<void> {
  const { clock, log, signal } = life;
  const backoff = new Backoff(RESTART);
  let daemon = await adopt(spec, life);
  while (!signal.aborted) {
    const since = clock.now();
    try {
      daemon ??= start(spec);
      if (await isAnswering(spec, daemon, life)) {
        log.info("containerd answers", { pid: daemon.pid, socket: spec.socket });
        onReady();
        await untilEnded(spec, daemon, life);
      }
      if (!signal.aborted)
        log.error("containerd has ended; starting it again", {
          pid: daemon.pid,
          said: lastLines(spec.log, SAID_LINES, daemon.logFrom),
        });
    } catch (error) {
      if (signal.aborted) return;
      log.error("containerd cannot be started; will try again", { error: explain(error) });
    }
    daemon = undefined;
    if (clock.now() - since >= LIVED_MS) backoff.reset();
    if (!signal.aborted) await clock.sleep(backoff.nextMs(), { signal }).catch(() => {});
  }
}

async function adopt(spec: DaemonSpec, life: Life): Promise<Daemon | undefined> {
  const found = findContainerd(spec.config);
  if (!found) return undefined;
  if (found.configHash === spec.configHash) {
    life.log.info("found the containerd of an earlier agent", { pid: found.pid });
    return found;
  }
  life.log.info("containerd runs with another configuration; starting it again", { pid: found.pid });
  await stopDaemon(found, life);
  return undefined;
}

/** SIGTERM, then SIGKILL. Only the daemon: the shims of its containers go on. */
export async function stopDaemon(daemon: Daemon, { clock, signal }: Omit<Life, "log">): Promise<void> {
  const since = clock.now();
  for (let asked: NodeJS.Signals | undefined; lives(daemon); ) {
    const wanted = clock.now() - since < STOP_MS ? "SIGTERM" : "SIGKILL";
    if (wanted !== asked) kill(daemon.pid, wanted);
    asked = wanted;
    await clock.sleep(ASK_EVERY_MS, { signal });
  }
}

/** @throws {Fault} "StartError" */
function start(spec: DaemonSpec): Daemon {
  mkdirSync(dirname(spec.log), { recursive: true, mode: 0o711 });
  rotateLog(spec.log);
  const logFrom = sizeOf(spec.log);
  const log = openSync(spec.log, "a", 0o640);
  try {
    const child = spawn(spec.program, [...argumentsFor(spec.config), "--log-level", spec.logLevel], {
      stdio: ["ignore", log, log],
      detached: true,
      env: { ...spec.env, [CONFIG_VARIABLE]: spec.configHash },
      cwd: "/",
    });
    child.on("error", () => {}); // Told by the missing pid.
    child.unref();
    const startTicks = child.pid === undefined ? undefined : startTicksOf(child.pid);
    if (child.pid === undefined || startTicks === undefined)
      throw new Fault("StartError", `${spec.program} could not be executed, or ended at once`);
    return { pid: child.pid, startTicks, logFrom };
  } finally {
    closeSync(log);
  }
}

/** False when it ended before it answered; one that says nothing, or nothing of sense, is told of once. */
async function isAnswering(spec: DaemonSpec, daemon: Daemon, { clock, log, signal }: Life): Promise<boolean> {
  const since = clock.now();
  let isTold = false;
  while (lives(daemon)) {
    if (await answersCri(spec.socket, { timeoutMs: ANSWER_MS })) return true;
    if (!isTold && clock.now() - since >= PATIENCE_MS) {
      isTold = true;
      log.warn("containerd runs but does not answer; will ask again", {
        pid: daemon.pid,
        socket: spec.socket,
      });
    }
    await clock.sleep(ASK_EVERY_MS, { signal });
  }
  return false;
}

async function untilEnded(spec: DaemonSpec, daemon: Daemon, { clock, log, signal }: Life): Promise<void> {
  let rotatedAt = clock.now();
  for await (const _ of ticks(clock, LOOK_EVERY_MS, { signal })) {
    if (!lives(daemon)) return;
    if (clock.now() - rotatedAt < ROTATE_EVERY_MS) continue;
    rotatedAt = clock.now();
    try {
      rotateLog(spec.log);
    } catch (error) {
      log.warn("containerd's log cannot be moved aside", { error: explain(error) });
    }
  }
}

function lives({ pid, startTicks }: Daemon): boolean {
  return startTicksOf(pid) === startTicks;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
