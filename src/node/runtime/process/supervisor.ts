import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { isLockedElsewhere, lockFile } from "#kernel/held-lock";
import { decodeState, STATE_BYTES, type SupervisorState } from "#kernel/launch/supervisor-state";
import type { StartedProcess } from "#kernel/sandbox";

/** In the folder of a run. */
export const STATE_FILE = "state";

/** What a supervisor left at a path, and the supervisor itself. It holds the lock of the file for as long as it lives, from before
 *  its birth on: so whether it lives, and with it whether its numbers mean anything, is known to the kernel alone. */
export class Supervisor {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Starts one with a fresh state file at `path`, whose lock it has from its birth on. */
  static async start(
    path: string,
    spawn: (state: number) => Promise<StartedProcess>,
  ): Promise<StartedProcess> {
    const state = openSync(path, "w+", 0o600);
    try {
      lockFile(state);
      writeSync(state, Buffer.alloc(STATE_BYTES)); // now, while there is room for it
      return await spawn(state);
    } finally {
      closeSync(state);
    }
  }

  /** What it says; "starting" when there is no such file. */
  read(): SupervisorState {
    try {
      return decodeState(readFileSync(this.#path));
    } catch {
      return decodeState(Buffer.alloc(0));
    }
  }

  /** Whether it lives, or is about to. */
  get isHeld(): boolean {
    return isLockedElsewhere(this.#path);
  }

  /** The program's process while it runs. */
  get containerPid(): number | undefined {
    const state = this.read();
    return state.phase === "running" && this.isHeld ? state.containerPid : undefined;
  }

  /** Lets it go: of what it holds open, and of the ended process. Absent is success. */
  dismiss(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): void {
    const { supervisorPid } = this.read();
    if (supervisorPid === undefined || !this.isHeld) return;
    try {
      process.kill(supervisorPid, signal);
    } catch {
      // Ended meanwhile.
    }
  }
}
