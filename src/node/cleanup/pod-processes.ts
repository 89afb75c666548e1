/** Pods that run on after their agent: as supervised processes, or under a containerd's shims. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import { listPids, namespaceOf, parentOf, wordsOf } from "../processes.ts";
import { startTicksOf } from "../runtime/process/identity.ts";
import { STATE_FILE, Supervisor } from "../runtime/process/supervisor.ts";

export interface PodProcess {
  readonly pid: number;
  /** With the pid it names one process for good. */
  readonly startTicks: string;
  readonly what: string;
}

/** Deeper than the runtime writes its files. */
const DEEPEST = 8;
const ROUNDS = 250;
const ROUND_MS = 20;

/** The first of each tree: a supervisor, a shim, or the containerd that was started with this node's configuration. */
export function findPodProcesses(dataDir: string): readonly PodProcess[] {
  return [...supervisors(join(dataDir, "agent/process/pods")), ...shims(dataDir)];
}

/** Whoever holds the lock of a state file is the one that it tells of. */
function supervisors(dir: string, depth = 0): readonly PodProcess[] {
  if (depth > DEEPEST || !existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return supervisors(path, depth + 1);
    if (entry.name !== STATE_FILE) return [];
    const supervisor = new Supervisor(path);
    const { supervisorPid } = supervisor.read();
    return supervisorPid !== undefined && supervisor.isHeld ? named(supervisorPid, "a pod's supervisor") : [];
  });
}

/** As k3s-killall.sh finds them, and those of a containerd that listens where K3s's does. */
function shims(dataDir: string): readonly PodProcess[] {
  const ours = namespaceOf("self", "mnt");
  return listPids().flatMap((pid) => {
    if (namespaceOf(pid, "mnt") !== ours) return [];
    const what = podProgram(wordsOf(pid), dataDir);
    return what === undefined ? [] : named(pid, what);
  });
}

function named(pid: number, what: string): readonly PodProcess[] {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? [] : [{ pid, startTicks, what }];
}

/** What of a node's runtime the words of a process start, if any. */
export function podProgram(words: readonly string[], dataDir: string): string | undefined {
  const [program = ""] = words;
  const after = (flag: string) => words[words.indexOf(flag) + 1] ?? "";
  if (/(?:^|\/)containerd-shim[^/]*$/.test(program)) {
    const isK3s = program.startsWith(`${dataDir}/data/`) && program.includes("/bin/");
    return isK3s || after("-address").startsWith("/run/k3s/") ? "a containerd shim" : undefined;
  }
  const isContainerd = /(?:^|\/)containerd$/.test(program);
  const config = words.includes("--config") ? after("--config") : after("-c");
  return isContainerd && config.startsWith(`${dataDir}/`) ? "containerd" : undefined;
}

/** Ends a process and all that descend from it, and waits until they are gone; whoever has its pid by now is left alone. @throws {Fault} StillRunning */
export async function killTree(
  root: PodProcess,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  let left = startTicksOf(root.pid) === root.startTicks ? treeOf(root.pid) : [];
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    for (const { pid, startTicks } of left) if (startTicksOf(pid) === startTicks) kill(pid);
    await clock.sleep(ROUND_MS, { signal });
    left = left.filter(({ pid, startTicks }) => startTicksOf(pid) === startTicks);
  }
  if (left.length === 0) return;
  const pids = left.map(({ pid }) => pid).join(", ");
  throw new Fault("StillRunning", `Cannot end ${root.what} (pid ${root.pid}): still there: ${pids}`);
}

/** A pid with the time of its birth, so that nobody else is ever meant. The root comes first: it can then make no more. */
function treeOf(root: number): readonly { readonly pid: number; readonly startTicks: string }[] {
  const children = Map.groupBy(listPids(), parentOf);
  const pids = [root];
  for (const pid of pids) pids.push(...(children.get(pid) ?? []));
  return pids.flatMap((pid) => {
    const startTicks = startTicksOf(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks }];
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
