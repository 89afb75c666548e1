import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "#life/clock";
import { Hierarchy } from "../../cgroup/hierarchy.ts";
import type { CgroupLimits } from "../../cgroup/limits.ts";
import type { CgroupMounts } from "../../cgroup/mounts.ts";
import type { Resources, Usage } from "../runtime.ts";

/** Of version 1, beside those that set limits: what counts processor time, and what can hold all processes still. */
const COUNTING = ["cpuacct", "freezer"] as const;
const LIMITING = ["cpu", "memory", "pids"] as const;

/** What the cgroups of this machine can do for a container: one of its own for each, below its pod's. */
export class ContainerCgroups {
  readonly #mounts: CgroupMounts;
  readonly #hierarchy: Hierarchy;

  constructor(mounts: CgroupMounts, clock: Clock) {
    this.#mounts = mounts;
    this.#hierarchy = new Hierarchy(mounts, clock);
  }

  /** Makes it stand with these limits. @returns the files that a process enters by
   *  @throws what the kernel refuses */
  make(path: string, resources: Resources): readonly string[] {
    this.#hierarchy.make(path, limitsOf(resources));
    const dirs = this.#dirs(path);
    for (const dir of dirs) mkdirSync(dir, { recursive: true });
    if (this.#mounts.version === 2) this.#limitSwap(path, resources);
    return dirs.map((dir) => join(dir, "cgroup.procs"));
  }

  /** @throws what the kernel refuses, such as less memory than is in use (EBUSY) */
  update(path: string, resources: Resources): void {
    this.#hierarchy.make(path, limitsOf(resources));
    if (this.#mounts.version === 2) this.#limitSwap(path, resources);
  }

  /** Those that enter a standing cgroup by these files are in it; none when it is gone. */
  entrances(path: string): readonly string[] {
    return this.#dirs(path)
      .map((dir) => join(dir, "cgroup.procs"))
      .filter((file) => existsSync(file));
  }

  /** How often the kernel killed something in it for want of memory. */
  oomKills(path: string): number {
    const file = this.#mounts.version === 2 ? "memory.events" : "memory.oom_control";
    return keyed(read(this.#dir("memory", path), file), "oom_kill");
  }

  /** Undefined when it is gone. */
  usage(path: string): Omit<Usage, "at"> | undefined {
    const memory = this.#dir("memory", path);
    const isNew = this.#mounts.version === 2;
    const used = Number.parseInt(read(memory, isNew ? "memory.current" : "memory.usage_in_bytes"), 10);
    if (Number.isNaN(used)) return undefined;
    const idle = keyed(read(memory, "memory.stat"), isNew ? "inactive_file" : "total_inactive_file");
    const cpuNanoseconds = isNew
      ? keyed(read(memory, "cpu.stat"), "usage_usec") * 1000
      : Number.parseInt(read(this.#dir("cpuacct", path), "cpuacct.usage"), 10) || 0;
    const processes = pidsIn(memory).length;
    return { cpuNanoseconds, workingSetBytes: Math.max(0, used - idle), processes };
  }

  /** SIGKILL for all that is in it, whoever started it: also for what forks while this goes on. */
  kill(path: string): void {
    const dir = this.#dir("memory", path);
    if (this.#mounts.version === 2 && existsSync(join(dir, "cgroup.kill"))) {
      writeFileSync(join(dir, "cgroup.kill"), "1");
      return;
    }
    const freezer = join(this.#dir(this.#mounts.version === 2 ? "memory" : "freezer", path));
    setState(freezer, "FROZEN");
    for (const pid of pidsIn(dir)) kill(pid);
    setState(freezer, "THAWED");
  }

  isEmpty(path: string): boolean {
    return pidsIn(this.#dir("memory", path)).length === 0;
  }

  /** Kills what is left and takes it away. @returns whether it is gone */
  remove(path: string): Promise<boolean> {
    return this.#hierarchy.remove(path);
  }

  #limitSwap(path: string, { memoryBytes }: Resources): void {
    const dir = this.#dir("memory", path);
    for (const [file, value] of memoryBytes === undefined
      ? []
      : ([
          ["memory.swap.max", "0"],
          ["memory.oom.group", "1"],
        ] as const))
      if (existsSync(join(dir, file))) writeFileSync(join(dir, file), value, { flag: "r+" });
  }

  #dirs(path: string): readonly string[] {
    const mounts = this.#mounts;
    if (mounts.version === 2) return [join(mounts.root, path)];
    const points = [...LIMITING, ...COUNTING].flatMap((name) => mounts.controllers.get(name) ?? []);
    return [...new Set(points)].map((point) => join(point, path));
  }

  #dir(controller: string, path: string): string {
    const mounts = this.#mounts;
    const point = mounts.version === 2 ? mounts.root : mounts.controllers.get(controller);
    return join(point ?? "/nonexistent", path);
  }
}

/** What is absent has no limit; what had one before loses it. */
function limitsOf({ cpuShares, cpuQuotaMicros, memoryBytes }: Resources): CgroupLimits {
  return {
    ...(cpuShares === undefined ? {} : { cpuShares }),
    cpuQuotaMicros: cpuQuotaMicros || "max",
    memoryBytes: memoryBytes || "max",
  };
}

function read(dir: string, file: string): string {
  try {
    return readFileSync(join(dir, file), "utf8");
  } catch {
    return "";
  }
}

/** The number behind a word at the start of a line; 0 where there is no such line. */
function keyed(text: string, key: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}

function pidsIn(dir: string): readonly number[] {
  return read(dir, "cgroup.procs")
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended meanwhile.
  }
}

function setState(freezer: string, state: "FROZEN" | "THAWED"): void {
  const file = join(freezer, "freezer.state");
  if (existsSync(file)) writeFileSync(file, state, { flag: "r+" });
}

/** The cgroup of a container, and the one its supervisor is in, below the pod's. */
export function containerCgroup(parent: string, id: string): string {
  return join(parent, id);
}

export function supervisorCgroup(containerPath: string): string {
  return join(dirname(containerPath), "supervisors");
}
