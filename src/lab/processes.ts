/** Finding what runs in a lab. Every process of a lab, pods included, has the lab's folders among its mounts, and no other
 *  process has: so nothing escapes, and nothing else is ever touched, whoever was killed before. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { Fault } from "#fault/fault";
import type { Clock } from "#life/clock";

/** Ids of all processes whose mounts come from a folder below `dir`. */
export function processesIn(dir: string): readonly number[] {
  const below = placeInFilesystem(dir) + sep;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && mountRoots(pid).some((root) => root.startsWith(below)));
}

/** Ends every process of the lab and waits until they are gone. @throws {Fault} StillRunning */
export async function killProcesses(
  dir: string,
  options: { clock: Clock; signal: AbortSignal },
): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < 250; round++) {
    const pids = processesIn(dir).filter((pid) => !isZombie(pid));
    if (pids.length === 0) return killed.size;
    for (const pid of pids) {
      kill(pid);
      killed.add(pid);
    }
    await options.clock.sleep(20, { signal: options.signal });
  }
  throw new Fault(
    "StillRunning",
    `Cannot end all processes of the lab: still there: ${processesIn(dir).join(", ")}`,
  );
}

/** Whether process `pid` still is the one that was started with `--node-name NAME` in this lab. */
export function isNodeProcess(pid: number, nodeName: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return !isZombie(pid) && words.includes(nodeName);
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

/** Mounts name their source by its place in its filesystem, which differs from the path when that is mounted elsewhere. */
function placeInFilesystem(dir: string): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => ({ root: line.split(" ")[3] ?? "", point: line.split(" ")[4] ?? "" }))
    .filter(
      ({ point }) => point !== "" && (dir === point || dir.startsWith(point === "/" ? "/" : point + sep)),
    );
  const nearest = mounts.sort((a, b) => b.point.length - a.point.length)[0];
  return nearest ? join(nearest.root, relative(nearest.point, dir)) : dir;
}

/** Field 4 of mountinfo: the folder of its filesystem that is mounted. */
function mountRoots(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
      .split("\n")
      .map((line) => line.split(" ")[3] ?? "");
  } catch {
    return [];
  }
}
