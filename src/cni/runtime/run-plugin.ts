import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import type { Invocation } from "./invocation.ts";
import { PluginFault } from "./plugin-fault.ts";

export interface RunLimits {
  /** After this long it is killed, with all it has started. */
  readonly timeoutMs: number;
}

/** How a plugin ended. What it printed is whole. */
export interface PluginEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  /** The beginning of it. */
  readonly stderr: string;
}

/** No result is as long as this. */
const LONGEST_STDOUT = 4 * 1024 * 1024;
const KEPT_STDERR = 64 * 1024;
/** A program that a plugin leaves running may hold its output open; the answer is there when the plugin has ended. */
const OUTPUT_GRACE_MS = 1_000;
/** While someone is writing the executable it cannot be started; an installer is soon done. */
const BUSY_TRIES = 6;
const BUSY_WAIT_MS = 500;

/** Runs an executable in a session of its own, with exactly the environment given, and waits for its end.
 *  @throws {PluginFault} "PluginNotStarted", "PluginHung", "PluginTalksRubbish" when it prints without end */
export async function runPlugin(path: string, call: Invocation, limits: RunLimits): Promise<PluginEnd> {
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(path, call, limits);
    } catch (error) {
      const isBusy = error instanceof Error && "code" in error && error.code === "ETXTBSY";
      if (!isBusy) throw isSystemError(error) ? notStarted(path, error) : error;
      if (tries === BUSY_TRIES) throw notStarted(path, error);
      await wait(BUSY_WAIT_MS);
    }
  }
}

async function runOnce(path: string, call: Invocation, { timeoutMs }: RunLimits): Promise<PluginEnd> {
  const child = spawn(path, [], { env: { ...call.env }, cwd: "/", detached: true, stdio: "pipe" });
  const heard = listen(child);
  child.stdin.on("error", () => {}); // It may end without having read anything.
  child.stdin.end(call.stdin);
  const { promise: ended, resolve, reject } = Promise.withResolvers<PluginEnd>();
  const timer = setTimeout(() => {
    heard.leave();
    reject(new PluginFault("PluginHung", `it gave no answer within ${timeoutMs / 1000} s and was killed`));
  }, timeoutMs);
  heard.onFlood = () => {
    heard.leave();
    reject(new PluginFault("PluginTalksRubbish", "it printed more than 4 MB and was killed"));
  };
  let grace: NodeJS.Timeout | undefined;
  child.once("error", reject);
  const end = (code: number | null, signal: string | null) =>
    resolve({ code: code ?? undefined, signal: signal ?? undefined, ...heard.text() });
  child.once("close", end);
  child.once("exit", (code, signal) => {
    grace = setTimeout(() => end(code, signal), OUTPUT_GRACE_MS);
  });
  try {
    return await ended;
  } catch (error) {
    killAll(child);
    throw error;
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    heard.leave();
  }
}

/** Reads to the end what a plugin prints, keeping only so much of it. */
function listen(child: ChildProcessWithoutNullStreams) {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const length = { stdout: 0, stderr: 0 };
  const heard = {
    onFlood: () => {},
    text: () => ({
      stdout: Buffer.concat(stdout).toString("utf8"),
      stderr: Buffer.concat(stderr).toString("utf8"),
    }),
    leave: () => {
      child.stdout.destroy();
      child.stderr.destroy();
      child.stdin.destroy();
    },
  };
  child.stdout.on("data", (chunk: Buffer) => {
    length.stdout += chunk.length;
    if (length.stdout > LONGEST_STDOUT) heard.onFlood();
    else stdout.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    if (length.stderr < KEPT_STDERR) stderr.push(chunk.subarray(0, KEPT_STDERR - length.stderr));
    length.stderr += chunk.length;
  });
  return heard;
}

/** The plugin and whatever it has started; it leads a process group of its own. */
function killAll({ pid }: ChildProcessWithoutNullStreams): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

function notStarted(path: string, cause: unknown): PluginFault {
  const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new PluginFault("PluginNotStarted", `cannot execute ${path}: ${why}`);
}
