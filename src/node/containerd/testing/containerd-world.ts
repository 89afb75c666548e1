import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "#life/clock";
import { Hierarchy } from "#node/cgroup/hierarchy";
import { findCgroupMounts } from "#node/cgroup/mounts";
import type { KeeperSettings } from "./keeper.ts";

const KEEPER = fileURLToPath(new URL("./keeper.ts", import.meta.url));
/** The first process of the machine: ends, with all others, when the test does. */
const INIT = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && echo up && read -r _";
const PATIENCE_MS = 60_000;

/** A machine with mounts and processes of its own, on which a containerd is looked after. */
export class ContainerdWorld implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), `twt-cd-${process.pid}-`));
  readonly settings: KeeperSettings;
  readonly cgroup = `/twt-cd-${process.pid}-pods`;
  /** Everything the keepers have logged. */
  log = "";
  readonly #init: ChildProcess;
  #keeper: ChildProcess | undefined;

  private constructor(imagesDir: string, init: ChildProcess) {
    this.#init = init;
    this.settings = { dataDir: join(this.dir, "d"), stateDir: join(this.dir, "s"), imagesDir };
  }

  static async open(imagesDir: string): Promise<ContainerdWorld> {
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const init = spawn("unshare", [...namespaces, "sh", "-c", INIT], { stdio: ["pipe", "pipe", "inherit"] });
    await once(init.stdout, "data");
    return new ContainerdWorld(imagesDir, init);
  }

  /** Resolves once containerd runs and holds its images. */
  async start(other: Partial<KeeperSettings> = {}): Promise<void> {
    const settings = JSON.stringify({ ...this.settings, ...other });
    const keeper = spawn("nsenter", [...this.#entry(), process.execPath, KEEPER, settings], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#keeper = keeper;
    keeper.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    const ready = once(keeper.stdout, "data", { signal: AbortSignal.timeout(PATIENCE_MS) });
    const ended = once(keeper, "exit").then(() =>
      Promise.reject(new Error(`the keeper ended:\n${this.log}`)),
    );
    ended.catch(() => {});
    await Promise.race([ready, ended]);
  }

  /** Ends whoever looks after containerd, as hard as it goes. */
  async killKeeper(): Promise<void> {
    if (!this.#keeper?.pid || this.#keeper.exitCode !== null) return;
    const ended = once(this.#keeper, "exit");
    process.kill(childOf(this.#keeper.pid), "SIGKILL");
    await ended;
  }

  run(command: string, ...args: readonly string[]): string {
    return execFileSync("nsenter", [...this.#entry(), command, ...args], { encoding: "utf8" });
  }

  ctr(...args: readonly string[]): string {
    return this.run("ctr", "-a", join(this.settings.stateDir, "containerd.sock"), "-n", "k8s.io", ...args);
  }

  /** As processes of the machine see it; undefined while there is none. */
  get daemonPid(): number | undefined {
    const lines = this.run("ps", "-eo", "pid=,stat=,args=").split("\n");
    const line = lines.find((text) => /^\s*\d+\s+[^Z\s]\S*\s+\S*containerd --config /.test(text));
    return line === undefined ? undefined : Number.parseInt(line, 10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#init, "exit");
    this.#init.kill("SIGKILL");
    await ended;
    const mounts = findCgroupMounts();
    if (mounts) await new Hierarchy(mounts, systemClock).remove(this.cgroup);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #entry(): readonly string[] {
    return ["-t", String(childOf(this.#init.pid ?? 0)), "--mount", "--pid"];
  }
}

/** `unshare` and `nsenter` wait for the process that they started inside. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
}
