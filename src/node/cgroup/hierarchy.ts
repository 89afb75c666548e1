import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "#life/clock";
import { cgroupFiles } from "./cgroup-files.ts";
import type { CgroupLimits } from "./limits.ts";
import type { CgroupMounts } from "./mounts.ts";

const DELEGATED = ["cpu", "memory", "pids"] as const;
/** A killed process leaves its cgroup a moment later. */
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 20;

/** Cgroups by their path below each controller's mount, such as `/kubepods/burstable/pod1`. Whatever the kernel refuses is thrown as it is. */
export class Hierarchy {
  readonly #mounts: CgroupMounts;
  readonly #clock: Clock;

  constructor(mounts: CgroupMounts, clock: Clock) {
    this.#mounts = mounts;
    this.#clock = clock;
  }

  /** Makes the cgroup stand, parents too, with these limits. */
  make(path: string, limits: CgroupLimits): void {
    const mounts = this.#mounts;
    if (mounts.version === 2) this.#delegate(mounts.root, path);
    else for (const name of DELEGATED) this.#makeFolder(mounts.controllers.get(name), path);
    for (const { controller, file, value } of cgroupFiles(mounts.version, limits)) {
      const dir = this.#folder(controller, path);
      if (dir !== undefined && existsSync(join(dir, file))) write(join(dir, file), value);
    }
  }

  exists(path: string): boolean {
    const dir = this.#folder("memory", path);
    return dir !== undefined && existsSync(dir);
  }

  /** Names of the cgroups directly below. */
  children(path: string): readonly string[] {
    return [...new Set(this.#folders(path).flatMap(foldersIn))];
  }

  /** Kills whatever is left in the cgroup and below, and takes all of it away. @returns whether it is gone */
  async remove(path: string): Promise<boolean> {
    const dirs = this.#folders(path);
    for (let tries = 0; tries < REMOVE_TRIES; tries++) {
      if (tries > 0) await this.#clock.sleep(REMOVE_PAUSE_MS, { signal: new AbortController().signal });
      for (const dir of dirs) killAll(dir);
      const left = dirs.filter((dir) => !removeTree(dir));
      if (left.length === 0) return true;
    }
    return false;
  }

  /** Takes the cgroup away if nothing runs in it. @returns whether it is gone */
  removeEmpty(path: string): boolean {
    return this.#folders(path).filter((dir) => !removeTree(dir)).length === 0;
  }

  /** A cgroup of version 2 gives its children only the controllers it was told to. */
  #delegate(root: string, path: string): void {
    const dir = join(root, path);
    if (existsSync(dir)) return;
    const parent = dirname(path);
    if (parent !== path && parent !== ".") this.#delegate(root, parent);
    const above = join(root, parent);
    const standing = new Set(read(join(above, "cgroup.subtree_control")).trim().split(/\s+/));
    const known = new Set(read(join(above, "cgroup.controllers")).trim().split(/\s+/));
    const wanted = DELEGATED.filter((name) => known.has(name) && !standing.has(name));
    if (wanted.length > 0)
      write(join(above, "cgroup.subtree_control"), wanted.map((name) => `+${name}`).join(" "));
    mkdirSync(dir, { recursive: true });
  }

  #makeFolder(mount: string | undefined, path: string): void {
    if (mount !== undefined) mkdirSync(join(mount, path), { recursive: true });
  }

  #folder(controller: string, path: string): string | undefined {
    if (this.#mounts.version === 2) return join(this.#mounts.root, path);
    const mount = this.#mounts.controllers.get(controller);
    return mount === undefined ? undefined : join(mount, path);
  }

  #folders(path: string): readonly string[] {
    const roots = this.#mounts.version === 2 ? [this.#mounts.root] : this.#mounts.all;
    return roots.map((root) => join(root, path));
  }
}

function foldersIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}

function killAll(dir: string): void {
  for (const name of foldersIn(dir)) killAll(join(dir, name));
  for (const line of read(join(dir, "cgroup.procs")).split("\n")) {
    const pid = Number(line);
    if (pid > 1) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}

/** Inner ones first; false while a process is still in one of them. */
function removeTree(dir: string): boolean {
  let isGone = true;
  for (const name of foldersIn(dir)) isGone = removeTree(join(dir, name)) && isGone;
  if (!isGone) return false;
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Without making or emptying a file: these are the kernel's. */
function write(path: string, value: string): void {
  writeFileSync(path, value, { flag: "r+" });
}
