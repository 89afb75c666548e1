import { closeSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type StartedProcess, spawnBeside } from "#kernel/sandbox";
import type { Clock } from "#life/clock";
import { decodeLogLine } from "../../logs/line.ts";
import type { ContainerExit, ExecResult, Run } from "../runtime.ts";
import { collectOutput, exitOf } from "./exec.ts";
import { startTicksOf } from "./identity.ts";
import { OutputPump } from "./output.ts";
import type { PodFolder, RunRecord } from "./record.ts";
import type { BesideOptions, Besides } from "./stream/run-beside.ts";

/** How often a container that is no child of this agent is looked at. */
const WATCH_MS = 250;
/** Grandchildren may hold the output open; this long they may go on writing to the log after the container's end. */
const DRAIN_MS = 1_000;
const MAX_MESSAGE_BYTES = 4096;
const FALLBACK_LINES = 80;
const FALLBACK_BYTES = 2048;
const UNKNOWN: Pick<ContainerExit, "code" | "reason" | "message"> = {
  code: 137,
  reason: "ContainerStatusUnknown",
  message:
    "The container could not be located when the agent came back: it ended meanwhile and left no exit code",
};

export interface ContainerDeps {
  readonly folder: PodFolder;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onExit: (container: ProcessContainer) => void;
}

/** One run of a container as a process of the host: its output, its end, and what is written down about it. */
export class ProcessContainer {
  readonly #deps: ContainerDeps;
  readonly #ended = Promise.withResolvers<void>();
  #record: RunRecord;
  #pump: OutputPump | undefined;
  #killed = false;
  #deadline: { timer: NodeJS.Timeout; at: number } | undefined;

  constructor(record: RunRecord, deps: ContainerDeps) {
    this.#record = record;
    this.#deps = deps;
    if (record.exit) this.#ended.resolve();
  }

  get run(): Run {
    return { ...this.#record.run, exit: this.#record.exit };
  }

  get #path(): string {
    return this.#deps.folder.runPath(this.#record.run.name, this.#record.run.attempt);
  }

  /** Takes over a process that this agent has just started. */
  own(child: StartedProcess, pump: OutputPump, startedAt: string): void {
    const startTicks = startTicksOf(child.pid) ?? "ended";
    this.#pump = pump;
    this.#save({
      run: { ...this.#record.run, startedAt },
      process: { pid: child.pid, startTicks },
    });
    child.unref();
    child.once("exit", (code, signal) => void this.#finish(exitOf(code, signal)));
  }

  /** Takes over a process that another agent started: reads on where that one stopped, and watches for the end. */
  adopt(): void {
    if (this.#record.exit) return;
    this.#pump = new OutputPump(this.#path, this.#record.run.logPath);
    void this.#watch(this.#pump);
  }

  /** Notes that nothing could be started, so that the failure is a run of its own as with any runtime. */
  fail(message: string, at: string): void {
    this.#save({ exit: { code: 128, finishedAt: at, reason: "StartError", message } });
    this.#ended.resolve();
  }

  get isAlive(): boolean {
    const { process: known, exit } = this.#record;
    return exit === undefined && known !== undefined && startTicksOf(known.pid) === known.startTicks;
  }

  get pid(): number | undefined {
    return this.isAlive ? this.#record.process?.pid : undefined;
  }

  /** SIGTERM now and SIGKILL after the grace; a second call can only shorten it. */
  stop(graceMs: number): Promise<void> {
    const at = this.#deps.clock.now() + graceMs;
    if (!this.isAlive) return this.#ended.promise;
    if (this.#deadline === undefined && graceMs > 0) this.#signal("SIGTERM");
    if (this.#deadline === undefined || at < this.#deadline.at) {
      clearTimeout(this.#deadline?.timer);
      this.#deadline = { at, timer: setTimeout(() => this.#kill(), graceMs) };
    }
    return this.#ended.promise;
  }

  async exec(command: readonly string[], timeoutMs: number | undefined): Promise<ExecResult> {
    const [program = "", ...args] = command;
    const child = spawnBeside({
      pid: this.pid ?? -1,
      command: program,
      args,
      env: this.#record.env,
      cwd: this.#record.workingDir,
      stdio: [undefined, "pipe", "pipe"],
    });
    return collectOutput(child, timeoutMs);
  }

  /** To start other programs in what the container has; undefined once it has ended. */
  get besides(): Besides | undefined {
    const { pid } = this;
    if (pid === undefined) return undefined;
    return { pid, uid: 0, start: (options) => this.#startBeside(pid, options) };
  }

  #startBeside(
    pid: number,
    { command: [program = "", ...args], stdio, isTerminal }: BesideOptions,
  ): StartedProcess {
    const env = isTerminal ? { TERM: "xterm", ...this.#record.env } : this.#record.env;
    return spawnBeside({ pid, command: program, args, env, cwd: this.#record.workingDir, stdio, isTerminal });
  }

  /** Stops reading; the process goes on, and what it writes waits for the next agent. */
  leave(): void {
    clearTimeout(this.#deadline?.timer);
    this.#pump?.[Symbol.dispose]();
  }

  removeFiles(): void {
    this.#deps.folder.removeRun(this.#record.run);
    rmSync(this.#record.run.logPath, { force: true });
  }

  #kill(): void {
    this.#killed = true;
    this.#signal("SIGKILL");
  }

  /** To the whole session for SIGKILL: with its own PID namespace that is more than needed, without it is not less. */
  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    const pid = this.pid;
    if (pid === undefined) return;
    try {
      process.kill(signal === "SIGKILL" ? -pid : pid, signal);
    } catch {
      // Ended meanwhile.
    }
  }

  async #watch(pump: OutputPump): Promise<void> {
    const { clock, signal } = this.#deps;
    const drained = pump.drained.then(() => undefined);
    let isDrained = false;
    void drained.then(() => {
      isDrained = true;
    });
    while (!signal.aborted && this.isAlive) {
      const wait = clock.sleep(isDrained ? 20 : WATCH_MS, { signal }).catch(() => undefined);
      await (isDrained ? wait : Promise.race([wait, drained]));
    }
    if (!signal.aborted) await this.#finish(this.#exitLeftBehind());
  }

  #exitLeftBehind(): Omit<ContainerExit, "message"> & { message?: string } {
    try {
      const left = JSON.parse(readFileSync(join(this.#path, "run", "exit.json"), "utf8")) as unknown;
      if (isExitFile(left)) return { ...left, reason: left.code === 0 ? "Completed" : "Error" };
    } catch {
      // Killed, or a program that leaves none.
    }
    const finishedAt = new Date(this.#deps.clock.now()).toISOString();
    if (this.#killed) return { code: 137, reason: "Error", finishedAt };
    return { ...UNKNOWN, finishedAt };
  }

  async #finish(exit: Omit<ContainerExit, "message"> & { message?: string }): Promise<void> {
    clearTimeout(this.#deadline?.timer);
    const pump = this.#pump;
    if (pump) {
      const late = setTimeout(() => pump[Symbol.dispose](), DRAIN_MS);
      await pump.drained;
      clearTimeout(late);
    }
    const message = exit.message ?? this.#terminationMessage(exit.code);
    this.#save({ exit: { ...exit, message } });
    this.#ended.resolve();
    this.#deps.onExit(this);
  }

  #terminationMessage(code: number): string {
    const written = tail(join(this.#path, "termination-log"), MAX_MESSAGE_BYTES);
    if (written !== "" || code === 0 || !this.#record.terminationMessage.fallBackToLogs) return written;
    const lines = tail(this.#record.run.logPath, 16 * FALLBACK_BYTES)
      .split("\n")
      .slice(-FALLBACK_LINES - 1);
    const text = lines
      .flatMap((line) => decodeLogLine(Buffer.from(line)) ?? [])
      .map((line) => `${line.content}${line.isPartial ? "" : "\n"}`)
      .join("");
    return text.slice(-FALLBACK_BYTES);
  }

  #save(change: Partial<RunRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#deps.folder.writeRun(this.#record);
  }
}

function isExitFile(value: unknown): value is { code: number; finishedAt: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "number" &&
    "finishedAt" in value &&
    typeof value.finishedAt === "string"
  );
}

function tail(path: string, bytes: number): string {
  try {
    const fd = openSync(path, "r");
    try {
      const size = statSync(path).size;
      const into = Buffer.alloc(Math.min(bytes, size));
      readSync(fd, into, 0, into.length, size - into.length);
      return into.toString("utf8");
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
}
