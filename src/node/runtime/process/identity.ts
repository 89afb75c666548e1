import { readFileSync } from "node:fs";

/** Which boot of the machine this is; pids and namespaces of another one mean nothing. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** When a process began, in clock ticks since boot: with the pid it names one process for good. Undefined once it has ended
 *  (a zombie has). @see field 22 of proc_pid_stat(5) */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** How readily the kernel kills a process; undefined of one that has ended. */
export function oomScoreAdjOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
  } catch {
    return undefined;
  }
}
