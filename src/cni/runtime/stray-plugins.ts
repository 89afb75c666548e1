import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Attached } from "./invocation.ts";

const POLL_MS = 10;
const LONGEST_WAIT_MS = 2_000;

/** Ends what an earlier life of this runtime left working on an attachment: a plugin goes on when its runtime is killed, and
 *  would put back what DEL takes away. They are known by their environment. */
export async function endStrayPlugins({ containerId, netns }: Attached): Promise<void> {
  if (netns === "") return;
  const marks = [`CNI_CONTAINERID=${containerId}`, `CNI_NETNS=${netns}`];
  for (const end = Date.now() + LONGEST_WAIT_MS; Date.now() < end; ) {
    const strays = processesWith(marks);
    if (strays.length === 0) return;
    for (const pid of strays) kill(pid);
    await wait(POLL_MS);
  }
}

function processesWith(marks: readonly string[]): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const environment = environmentOf(name);
      return marks.every((mark) => environment.includes(mark));
    })
    .map(Number);
}

/** Empty for what has ended meanwhile, or has none. */
function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
