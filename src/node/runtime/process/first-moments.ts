import { readFileSync } from "node:fs";
import type { Clock } from "#life/clock";

/** How long a program may take until it hears signals; Node takes some 40 ms, and more on a busy machine. */
const FIRST_MOMENTS_MS = 3_000;
const STEPS_MS = { deaf: 5, heard: 1, most: 20 };
const SIGTERM_BIT = 1n << 14n;

export interface Asked {
  /** The program's process; undefined once it has ended. */
  readonly pid: () => number | undefined;
  readonly startedAtMs: number;
  readonly ask: () => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Asks a process 1 to end, with SIGTERM. The kernel keeps from it what it has no handler for, and no program has one in its first
 *  moments, nor when it has just become another: so while it is young it is asked again until it hears. Asks once, at once, in
 *  any case; resolves when there is nothing more to ask. Node's own first handler sends the signal again, which does nothing to
 *  process 1, and is gone then: a look soon after tells. */
export async function askToEnd({ pid, startedAtMs, ask, clock, signal }: Asked): Promise<void> {
  let stepMs = 0;
  for (let hasHeard = false; !signal.aborted; ) {
    const at = pid();
    if (at === undefined) return;
    const hears = hearsSigterm(at);
    if (!hears || !hasHeard) ask();
    if (!hears) stepMs = STEPS_MS.deaf;
    else stepMs = hasHeard ? Math.min(2 * stepMs, STEPS_MS.most) : STEPS_MS.heard;
    hasHeard = hears;
    if (clock.now() - startedAtMs > FIRST_MOMENTS_MS) return;
    await clock.sleep(stepMs, { signal }).catch(() => {}); // Aborted: the loop ends.
  }
}

/** Whether it has a handler, or keeps the signal for when it looks. */
function hearsSigterm(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return ["SigBlk", "SigCgt"].some((set) => {
      const bits = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0";
      return (BigInt(`0x${bits}`) & SIGTERM_BIT) !== 0n;
    });
  } catch {
    return true; // Ended meanwhile.
  }
}
