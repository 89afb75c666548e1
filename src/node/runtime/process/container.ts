import { closeSync, type FSWatcher, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { explain } from "#fault/fault";
import type { Fd } from "#kernel/fd";
import type { PipeWindow } from "#kernel/pipe-taker";
import { type StartedProcess, spawnBeside } from "#kernel/sandbox";
import { masterHeldBy } from "#kernel/terminal";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { decodeLogLine } from "../../logs/line.ts";
import { removeLog } from "../../logs/rotation.ts";
import type { ContainerExit, ExecResult, Resources, Run, Usage } from "../runtime.ts";
import type { ContainerCgroups } from "./container-cgroup.ts";
import { collectOutput } from "./exec.ts";
import { askToEnd } from "./first-moments.ts";
import { oomScoreAdjOf } from "./identity.ts";
import { OutputPump } from "./output.ts";
import type { Pump } from "./pump.ts";
import type { PodFolder, RunRecord } from "./record.ts";
import { rightsOf } from "./security.ts";
import type { OwnStreams } from "./stream/attach.ts";
import { passInput } from "./stream/input.ts";
import { endKeeper } from "./stream/keeper.ts";
import type { Besides } from "./stream/run-beside.ts";
import { TerminalPump } from "./stream/terminal-pump.ts";
import { STATE_FILE, Supervisor } from "./supervisor.ts";
import type { Turns } from "./turns.ts";
import { watchFile } from "./watch-file.ts";

/** Grandchildren may hold the output open; this long they may go on writing to the log after the container's end. */
const DRAIN_MS = 1_000;
const MAX_MESSAGE_BYTES = 4096;
const FALLBACK_LINES = 80;
const FALLBACK_BYTES = 2048;
const UNKNOWN: Pick<ContainerExit, "code" | "reason" | "message"> = {
  code: 137,
  reason: "ContainerStatusUnknown",
  message: "The container could not be located: it and its supervisor ended and left no exit code",
};

type BesideOptions = Parameters<Besides["start"]>[0];
type Ending = Omit<ContainerExit, "message"> & { readonly message?: string };

export interface ContainerDeps {
  readonly folder: PodFolder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly window: PipeWindow;
  readonly turns: Turns;
  /** Undefined where the machine has none. */
  readonly cgroups: ContainerCgroups | undefined;
  readonly onExit: (container: ProcessContainer) => void;
}

/** One run of a container: its output, its end, and what is written down about it. Its process belongs to its supervisor. */
export class ProcessContainer {
  readonly #deps: ContainerDeps;
  readonly #supervisor: Supervisor;
  readonly #ended = Promise.withResolvers<void>();
  #record: RunRecord;
  #pump: Pump | undefined;
  #watcher: FSWatcher | undefined;
  #isFinishing = false;
  readonly #life = new AbortController();
  /** Whatever happens from now on is not this agent's to write down. */
  #isLeft = false;
  #isSaved = true;
  #deadline: { timer: NodeJS.Timeout; at: number } | undefined;

  constructor(record: RunRecord, deps: ContainerDeps) {
    this.#record = record;
    this.#deps = deps;
    this.#supervisor = new Supervisor(join(this.path, STATE_FILE));
    if (record.exit) this.#ended.resolve();
  }

  get run(): Run {
    return { ...this.#record.run, exit: this.#record.exit };
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** The folder of this run. */
  get path(): string {
    return this.#deps.folder.runPath(this.#record.run.name, this.#record.run.attempt);
  }

  get supervisor(): Supervisor {
    return this.#supervisor;
  }

  /** Reads on where the last agent stopped, and watches for the end. */
  follow(supervisor?: StartedProcess): void {
    if (this.#record.exit) {
      this.#supervisor.dismiss(); // The last agent came no further.
      return;
    }
    if (!this.#pump) this.#reopenPump();
    this.#watcher = watchFile(join(this.path, STATE_FILE), () => this.check());
    supervisor?.unref();
    supervisor?.once("exit", () => this.check());
    this.check();
  }

  /** To be opened once the container's ends of the pipes are, or its terminal, whose master is taken over. */
  openPump(master?: Fd): void {
    const { log, window, turns } = this.#deps;
    const { logPath } = this.#record.run;
    const onRefusal = (error: unknown) =>
      log.warn("a container's log cannot be written", { path: logPath, error: explain(error) });
    this.#pump = master
      ? new TerminalPump(master, { logPath, onRefusal })
      : new OutputPump(this.path, logPath, { window, turns, onRefusal });
  }

  /** Of a container with a terminal, which only its supervisor has had open meanwhile; without one nothing is read. */
  #reopenPump(): void {
    if (!this.#record.interaction.tty) {
      this.openPump();
      return;
    }
    const { supervisorPid } = this.#supervisor.read();
    const master =
      supervisorPid === undefined || !this.#supervisor.isHeld ? undefined : masterHeldBy(supervisorPid);
    if (master) this.openPump(master);
  }

  /** Looks whether it has ended or written anything; for when the kernel did not tell. */
  check(): void {
    if (this.#isLeft) return;
    this.#pump?.wake();
    if (!this.#isSaved) this.#conclude();
    if (this.#record.exit || this.#isFinishing) return;
    const state = this.#supervisor.read();
    if (state.phase === "ended") {
      const { code, finishedAtMs } = state;
      void this.#finish({
        code,
        reason: code === 0 ? "Completed" : "Error",
        finishedAt: new Date(finishedAtMs).toISOString(),
      });
    } else if (!this.#supervisor.isHeld)
      void this.#finish({ ...UNKNOWN, finishedAt: new Date(this.#deps.clock.now()).toISOString() });
  }

  /** Notes that nothing could be started, so that the failure is a run of its own as with any runtime. */
  fail(message: string, at: string): void {
    this.#close();
    this.#record = {
      ...this.#record,
      exit: { code: 128, finishedAt: at, reason: "StartError", message },
    };
    this.#conclude();
    this.#ended.resolve();
  }

  get isAlive(): boolean {
    return this.pid !== undefined;
  }

  /** Of its process while it runs. It names that one for as long as the supervisor lives. */
  get pid(): number | undefined {
    return this.#record.exit ? undefined : this.#supervisor.containerPid;
  }

  /** SIGTERM now and SIGKILL after the grace; a second call can only shorten it. */
  stop(graceMs: number): Promise<void> {
    const at = this.#deps.clock.now() + graceMs;
    if (!this.isAlive) {
      this.check();
      return this.#ended.promise;
    }
    if (this.#deadline === undefined && graceMs > 0) this.#ask();
    if (this.#deadline === undefined || at < this.#deadline.at) {
      clearTimeout(this.#deadline?.timer);
      this.#deadline = { at, timer: setTimeout(() => this.#signal("SIGKILL"), graceMs) };
    }
    return this.#ended.promise;
  }

  async exec([program = "", ...args]: readonly string[], timeoutMs: number | undefined): Promise<ExecResult> {
    const command = [program, ...args];
    const child = this.#startBeside(this.pid ?? -1, {
      command,
      stdio: [undefined, "pipe", "pipe"],
      isTerminal: false,
    });
    return collectOutput(child, timeoutMs);
  }

  /** To start other programs in what the container has; undefined once it has ended. */
  get besides(): Besides | undefined {
    const { pid } = this;
    if (pid === undefined) return undefined;
    return { pid, uid: this.#record.rights.uid, start: (options) => this.#startBeside(pid, options) };
  }

  /** What it talks through itself; undefined once it has ended. */
  get own(): OwnStreams | undefined {
    const { stdin, stdinOnce } = this.#record.interaction;
    const pump = this.#pump;
    if (!this.isAlive || !pump) return undefined;
    const terminal = pump instanceof TerminalPump ? pump : undefined;
    const take = (input: Readable) => terminal?.take(input) ?? passInput(this.path, stdinOnce, input);
    return {
      subscribe: (listener) => pump.subscribe(listener),
      ended: this.#ended.promise,
      takeInput: stdin ? take : undefined,
      resize: terminal && ((size) => terminal.resize(size)),
    };
  }

  reopenLog(): void {
    this.#pump?.reopen();
  }

  /** Undefined where nobody counts, or nothing runs. */
  usage(at: string): Usage | undefined {
    const { cgroup, exit } = this.#record;
    const used = cgroup === undefined || exit ? undefined : this.#deps.cgroups?.usage(cgroup);
    return used && { at, ...used };
  }

  /** @returns whether there is a cgroup that keeps limits @throws what the kernel refuses */
  updateResources(resources: Resources): boolean {
    const { cgroup } = this.#record;
    if (cgroup === undefined || !this.#deps.cgroups) return false;
    this.#deps.cgroups.update(cgroup, resources);
    return true;
  }

  /** Stops reading; the process goes on, and what it writes waits for the next agent. */
  leave(): void {
    this.#isLeft = true;
    this.#close();
  }

  /** Stops reading and knowing: what still runs is ended. */
  abandon(): void {
    this.leave();
    if (!this.#record.hasOwnPids) this.#killAll();
    this.#supervisor.dismiss("SIGKILL");
    endKeeper(this.path);
    const { cgroup, exit } = this.#record;
    if (cgroup !== undefined && !exit) void this.#deps.cgroups?.remove(cgroup);
    this.#ended.resolve();
  }

  /** It was written down, and the agent came no further. */
  get wasNeverStarted(): boolean {
    return this.#supervisor.read().phase === "starting" && !this.#supervisor.isHeld;
  }

  removeFiles(): void {
    this.#supervisor.dismiss("SIGKILL");
    this.#deps.folder.removeRun(this.#record.run);
    removeLog(this.#record.run.logPath);
  }

  #close(): void {
    this.#life.abort();
    clearTimeout(this.#deadline?.timer);
    this.#watcher?.close();
    this.#pump?.[Symbol.dispose]();
  }

  #startBeside(
    pid: number,
    {
      command: [program = "", ...args],
      stdio,
      isTerminal,
    }: Omit<BesideOptions, "stdio"> & {
      readonly stdio: readonly (number | "pipe" | undefined)[];
    },
  ): StartedProcess {
    const { env, cgroup, workingDir: cwd, rights } = this.#record;
    return spawnBeside({
      pid,
      command: program,
      args,
      env: isTerminal ? { TERM: "xterm", ...env } : env,
      cwd,
      stdio,
      isTerminal,
      rights: rightsOf(rights),
      cgroups: cgroup === undefined ? [] : (this.#deps.cgroups?.entrances(cgroup) ?? []),
      oomScoreAdj: oomScoreAdjOf(pid),
    });
  }

  #ask(): void {
    const ask = () => this.#signal("SIGTERM");
    const { hasOwnPids, run } = this.#record;
    const { clock } = this.#deps;
    if (!hasOwnPids) ask();
    else
      void askToEnd({
        pid: () => this.pid,
        startedAtMs: Date.parse(run.startedAt),
        ask,
        clock,
        signal: this.#life.signal,
      });
  }

  /** To process 1 of its own namespace alone: all others end with it. Else SIGKILL goes to all that it started. */
  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    const pid = this.pid;
    if (pid === undefined) return;
    const { hasOwnPids } = this.#record;
    try {
      if (signal === "SIGKILL" && !hasOwnPids) this.#killAll();
      process.kill(signal === "SIGKILL" && !hasOwnPids ? -pid : pid, signal);
    } catch {
      // Ended meanwhile.
    }
  }

  #killAll(): void {
    const { cgroup } = this.#record;
    if (cgroup !== undefined) this.#deps.cgroups?.kill(cgroup);
  }

  async #finish(ending: Ending): Promise<void> {
    this.#isFinishing = true;
    clearTimeout(this.#deadline?.timer);
    if (!this.#record.hasOwnPids) this.#killAll();
    const pump = this.#pump;
    if (pump) {
      pump.wake();
      const late = setTimeout(() => pump[Symbol.dispose](), DRAIN_MS);
      await pump.drained;
      clearTimeout(late);
    }
    this.#watcher?.close();
    const exit = this.#isOutOfMemory(ending) ? { ...ending, reason: "OOMKilled" } : ending;
    const message = exit.message ?? this.#terminationMessage(exit.code);
    this.#record = { ...this.#record, exit: { ...exit, message } };
    this.#conclude();
    this.#ended.resolve();
    this.#deps.onExit(this);
  }

  #isOutOfMemory({ code }: Ending): boolean {
    const { cgroup } = this.#record;
    return code !== 0 && cgroup !== undefined && (this.#deps.cgroups?.oomKills(cgroup) ?? 0) > 0;
  }

  /** The supervisor goes once its word is written down here; on a full disk that is tried again later. */
  #conclude(): void {
    if (this.#isLeft) return;
    try {
      this.#deps.folder.writeRun(this.#record);
    } catch (error) {
      if (this.#isSaved)
        this.#deps.log.warn("how a container ended cannot be written down yet", { error: explain(error) });
      this.#isSaved = false;
      return;
    }
    this.#isSaved = true;
    this.#supervisor.dismiss();
    endKeeper(this.path);
    const { cgroup } = this.#record;
    if (cgroup !== undefined) void this.#deps.cgroups?.remove(cgroup);
  }

  #terminationMessage(code: number): string {
    const written = tail(join(this.path, "termination-log"), MAX_MESSAGE_BYTES);
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
}

function tail(path: string, bytes: number): string {
  try {
    const fd = openSync(path, "r");
    try {
      const size = fstatSync(fd).size;
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
