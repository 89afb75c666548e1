import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { RigReady } from "./rig-process.ts";

/** An API server in a process of its own. Disposing ends it in order. */
export interface RigChild extends RigReady, AsyncDisposable {
  readonly pid: number;
  /** SIGKILL, at once. */
  kill(): Promise<void>;
}

/** Starts a server over what is in `directory`, on `port` or a free one, and waits until it answers. */
export async function forkRig(options: {
  readonly directory: string;
  readonly port?: number;
  readonly execArgv?: readonly string[];
}): Promise<RigChild> {
  const child = fork(
    new URL("./rig-process.ts", import.meta.url),
    [options.directory, String(options.port ?? 0)],
    {
      execArgv: [...(options.execArgv ?? [])],
      // As the launcher has it.
      env: { ...process.env, MALLOC_ARENA_MAX: "2" },
    },
  );
  const ready = await hear(child);
  const end = async (stop: () => void) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    stop();
    await gone;
  };
  return {
    ...ready,
    pid: child.pid ?? 0,
    kill: () => end(() => child.kill("SIGKILL")),
    [Symbol.asyncDispose]: () => end(() => child.disconnect()),
  };
}

async function hear(child: ChildProcess): Promise<RigReady> {
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`the server's process ended with ${code}`);
  });
  const [ready] = (await Promise.race([once(child, "message"), gone])) as [RigReady];
  gone.catch(() => {});
  return ready;
}
