import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unmount } from "#kernel/mount";
import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { Hierarchy } from "../../../cgroup/hierarchy.ts";
import { findCgroupMounts } from "../../../cgroup/mounts.ts";
import { PLAIN_SECURITY } from "../../../testing/plain-security.ts";
import type { ContainerConfig, Run, Runtime, SandboxConfig, Security } from "../../runtime.ts";
import { openProcessRuntime, type ProcessRuntimeOptions } from "../runtime.ts";
import { STATE_FILE, Supervisor } from "../supervisor.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const DEADLINE_MS = 15_000;
let worlds = 0;

/** A process runtime in this process with folders of its own; its pods have the host's network. */
export class RuntimeWorld implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), `twt-process-${process.pid}-`));
  readonly cgroupRoot = `/twt-${process.pid}-process${worlds++}`;
  readonly warnings: string[] = [];
  #stop = new AbortController();
  #imageRef = "";

  static async open(options: Partial<ProcessRuntimeOptions> = {}): Promise<[RuntimeWorld, Runtime]> {
    await readFile("/etc/hostname"); // the thread pool is born outside
    const world = new RuntimeWorld();
    return [world, await world.openRuntime(options)];
  }

  /** As a new agent would; the last one's is left. */
  async openRuntime(options: Partial<ProcessRuntimeOptions> = {}): Promise<Runtime> {
    this.#stop.abort();
    this.#stop = new AbortController();
    mkdirSync(join(this.dir, "netns"), { recursive: true });
    const runtime = openProcessRuntime({
      kernel: openKernel(),
      stateDir: join(this.dir, "state"),
      imagesDir: join(tmpdir(), "twt-node-images"),
      netnsDir: join(this.dir, "netns"),
      network: () => undefined,
      clock: systemClock,
      log: openLog({ write: (line) => void this.warnings.push(line), level: "warn" }),
      signal: this.#stop.signal,
      ...options,
    });
    this.#imageRef = (await runtime.findImage(IMAGE))?.imageRef ?? "";
    return runtime;
  }

  sandbox(podUid: string, change: Partial<SandboxConfig> = {}): SandboxConfig {
    return {
      podUid,
      podName: podUid,
      podNamespace: "default",
      attempt: 0,
      isHostNetwork: true,
      portMappings: [],
      sysctls: {},
      hostname: "",
      dns: { servers: [], searches: [], options: [] },
      labels: {},
      annotations: {},
      logDir: join(this.dir, "logs"),
      cgroupParent: `${this.cgroupRoot}/pod${podUid}`,
      ipc: "pod",
      pid: "container",
      isPrivileged: false,
      uid: undefined,
      gid: undefined,
      supplementalGroups: [],
      runtimeHandler: "",
      ...change,
    };
  }

  container(
    sandbox: SandboxConfig,
    {
      security = {},
      name = "main",
      ...change
    }: Partial<Omit<ContainerConfig, "security">> & { security?: Partial<Security> } = {},
  ): ContainerConfig {
    const { podUid, podName, podNamespace, pid, ipc } = sandbox;
    return {
      podUid,
      podName,
      podNamespace,
      name,
      attempt: 0,
      image: IMAGE,
      imageRef: this.#imageRef,
      hash: "1",
      command: [],
      args: ["pause"],
      env: {},
      workingDir: undefined,
      hostname: undefined,
      binds: [],
      logPath: join(this.dir, "logs", podUid, `${name}.log`),
      terminationMessage: { path: "/dev/termination-log", fallBackToLogs: false },
      stdin: false,
      stdinOnce: false,
      tty: false,
      pid,
      ipc,
      security: { ...PLAIN_SECURITY, ...security },
      resources: {},
      annotations: {},
      sandbox,
      ...change,
    };
  }

  mkdir(path: string): void {
    mkdirSync(path, { recursive: true });
  }

  supervisor({ podUid, name, attempt }: Run): Supervisor {
    return new Supervisor(
      join(this.dir, "state/pods", podUid, "containers", name, String(attempt), STATE_FILE),
    );
  }

  pid(run: Run): number {
    return this.supervisor(run).containerPid ?? -1;
  }

  /** A line of `/proc/PID/status`, without its name. */
  status(run: Run, name: string): string {
    const text = readFileSync(`/proc/${this.pid(run)}/status`, "utf8");
    return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(text)?.[1] ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const last = await this.openRuntime();
    for (const uid of last.podUids()) await last.removePod(uid);
    this.#stop.abort();
    for (const path of mountsBelow(this.dir)) unmount(path);
    const mounts = findCgroupMounts();
    if (mounts) await new Hierarchy(mounts, systemClock).remove(this.cgroupRoot);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Polls until `holds`; rejects when it never does. */
export async function until<T>(what: string, holds: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = holds();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`in ${DEADLINE_MS} ms it was never true that ${what}`);
    await systemClock.sleep(10, { signal: new AbortController().signal });
  }
}

/** Inner ones first. */
export function mountsBelow(dir: string): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .filter((point) => point.startsWith(`${dir}/`))
    .reverse();
}
