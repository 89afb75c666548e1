import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Event, Pod } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import { Hierarchy } from "../cgroup/hierarchy.ts";
import { findCgroupMounts } from "../cgroup/mounts.ts";
import type { AgentSettings, Command, Report } from "./agent.ts";

const AGENT = fileURLToPath(new URL("./agent.ts", import.meta.url));
const DEADLINE_MS = 20_000;
let worlds = 0;

/** A machine made of one network namespace with a folder of its own, on which an agent can run, be killed and run again. */
export class NodeWorld implements AsyncDisposable {
  readonly netns = `twt-${process.pid}-node${worlds++}`;
  readonly dir = mkdtempSync(join(tmpdir(), `twt-node-${process.pid}-`));
  readonly settings: Omit<AgentSettings, "seed">;
  readonly events: Event[] = [];
  readonly #pods = new Map<string, Pod>();
  readonly #waiting = new Set<() => void>();
  #agent: ChildProcess | undefined;
  #isReady = false;
  stderr = "";

  constructor(tls: AgentSettings["tls"]) {
    execFileSync("ip", ["netns", "add", this.netns]);
    execFileSync("ip", ["-n", this.netns, "link", "set", "lo", "up"]);
    const at = (name: string) => join(this.dir, name);
    this.settings = {
      dataDir: at("data"),
      imagesDir: join(tmpdir(), "twt-node-images"),
      podLogsDir: at("logs"),
      netnsDir: at("netns"),
      ipamDir: at("ipam"),
      cgroupRoot: `/${this.netns}`,
      tls,
    };
    for (const name of ["data", "logs", "netns", "ipam"]) mkdirSync(at(name));
  }

  get agentPid(): number {
    return this.#agent?.pid ?? -1;
  }

  /** How `nsenter` gets to where agents of this world run. */
  protected entry(): readonly string[] {
    return [`--net=/run/netns/${this.netns}`];
  }

  /** What the agents of this world are told beside the settings that all have. */
  protected extraSettings(): Partial<AgentSettings> {
    return {};
  }

  /** Starts an agent; resolves once it is ready. `seed` is what its API holds from the start. */
  async start(seed: readonly Command[] = [], more: Partial<AgentSettings> = {}): Promise<void> {
    this.#isReady = false;
    this.#pods.clear();
    // Not `ip netns exec`: that also gives a mount namespace, with which the pods' namespaces would go.
    const args = [
      ...this.entry(),
      process.execPath,
      AGENT,
      JSON.stringify({ ...this.settings, ...this.extraSettings(), ...more, seed }),
    ];
    const agent = spawn("nsenter", args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#agent = agent;
    agent.stderr.on("data", (data) => {
      this.stderr += data;
    });
    createInterface({ input: agent.stdout }).on("line", (line) => this.#hear(JSON.parse(line) as Report));
    await this.until("the node is ready", () => this.#isReady);
  }

  send(command: Command): void {
    this.#agent?.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** Ends the agent as the kernel would: at once. */
  async kill(): Promise<void> {
    const agent = this.#agent;
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = new Promise((resolve) => agent.once("exit", resolve));
    process.kill(this.agentPid, "SIGKILL");
    await ended;
    this.#agent = undefined;
  }

  pod(name: string): Pod | undefined {
    return this.#pods.get(name);
  }

  /** Resolves once `holds` is true of what the API says; rejects with what was last seen. */
  async until<T>(what: string, holds: () => T | undefined | false): Promise<T> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const found = holds();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > deadline) {
        const seen = JSON.stringify(
          [...this.#pods.values()].map(({ status }) => status),
          undefined,
          1,
        );
        throw new Error(`in ${DEADLINE_MS} ms it was never true that ${what}; pods: ${seen}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.#waiting.clear();
    }
  }

  /** Ends everything: what the agent started too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    for (const pid of this.#strayPids()) kill(pid);
    for (const path of mountsBelow(this.dir)) execFileSync("umount", ["-l", path]);
    execFileSync("ip", ["netns", "del", this.netns]);
    const mounts = findCgroupMounts();
    if (mounts) await new Hierarchy(mounts, systemClock).remove(this.settings.cgroupRoot);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Processes of pods, by the folder that only theirs have mounted. */
  #strayPids(): readonly number[] {
    const text = execFileSync(
      "sh",
      ["-c", `grep -l ${this.dir} /proc/[0-9]*/mountinfo 2>/dev/null || true`],
      {
        encoding: "utf8",
      },
    );
    const own = new Set([process.pid]);
    return text
      .split("\n")
      .flatMap((path) => /^\/proc\/(\d+)\//.exec(path)?.[1] ?? [])
      .map(Number)
      .filter((pid) => !own.has(pid) && isContainer(pid));
  }

  #hear(report: Report): void {
    if (report.say === "ready") this.#isReady = true;
    if (report.say === "pod") this.#pods.set(report.object.metadata.name, report.object as Pod);
    if (report.say === "event") this.events.push(report.object as unknown as Event);
    if (report.say === "gone") this.#pods.delete(report.name);
    for (const wake of this.#waiting) wake();
  }
}

/** Inner ones first. */
function mountsBelow(dir: string): readonly string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? []);
  return points.filter((point) => point.startsWith(`${dir}/`)).reverse();
}

/** One may have ended with another. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone.
  }
}

function isContainer(pid: number): boolean {
  try {
    return (
      readFileSync(`/proc/${pid}/cmdline`, "latin1").match(/^(?:\/\.twill\/node|twill-keeper )/) !== null
    );
  } catch {
    return false;
  }
}
