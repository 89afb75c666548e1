import { readdirSync, readFileSync } from "node:fs";

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

/** The process whose environment holds `NAME=value`; for one whose pid could not be written down in time. */
export function findByEnvironment(variable: string): number | undefined {
  const wanted = Buffer.from(variable);
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/environ`).includes(wanted)) return Number(name);
    } catch {
      // Ended meanwhile.
    }
  }
  return undefined;
}
