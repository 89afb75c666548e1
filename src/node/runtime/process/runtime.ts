import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { explain, Fault, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import { PipeWindow } from "#kernel/pipe-taker";
import type { NamespaceChoice } from "#kernel/sandbox";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { type CgroupMounts, findCgroupMounts } from "../../cgroup/mounts.ts";
import type { PodNetwork } from "../../network.ts";
import type {
  ContainerConfig,
  ExecResult,
  FoundImage,
  Resources,
  Run,
  Runtime,
  RuntimeCondition,
  Sandbox,
  SandboxConfig,
  StoredImage,
  StreamRequest,
  StreamTarget,
  Usage,
} from "../runtime.ts";
import { BuiltImages } from "./built-images.ts";
import { innerCommand } from "./carried-images.ts";
import { ProcessContainer } from "./container.ts";
import { ContainerCgroups } from "./container-cgroup.ts";
import { readBootId } from "./identity.ts";
import { plannedRun } from "./planned-run.ts";
import {
  makeSandbox,
  plannedSandbox,
  type SandboxDeps,
  sandboxStands,
  takeSandboxAway,
} from "./pod-sandbox.ts";
import { namesIn, PodFolder, type RunRecord, type SandboxRecord } from "./record.ts";
import { startRun } from "./start-run.ts";
import { openProcessStream } from "./stream/open-stream.ts";
import { Supervisor } from "./supervisor.ts";
import { Turns } from "./turns.ts";
import { writeUsers } from "./users.ts";

/** How often what the kernel should have told is looked for all the same. */
const LOOK_MS = 1_000;

export interface ProcessRuntimeOptions {
  readonly kernel: Kernel;
  /** Where everything is written down: `$DATA/agent/process`. */
  readonly stateDir: string;
  /** Bundles of the carried images; default `<stateDir>/images`. */
  readonly imagesDir?: string;
  readonly netnsDir: string;
  /** The pod network once there is one. */
  readonly network: () => PodNetwork | undefined;
  /** Default: those of this machine. */
  readonly cgroups?: CgroupMounts;
  /** Default: that of this boot of the machine. */
  readonly bootId?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface PodState {
  readonly folder: PodFolder;
  sandbox: SandboxRecord | undefined;
  containers: ProcessContainer[];
}

/** Opens the runtime that runs carried images as processes of the host, and takes over all that an earlier agent left running. */
export function openProcessRuntime(options: ProcessRuntimeOptions): Runtime {
  const imagesDir = options.imagesDir ?? join(options.stateDir, "images");
  mkdirSync(join(options.stateDir, "root"), { recursive: true, mode: 0o700 });
  writeUsers(join(options.stateDir, "users"));
  const runtime = new ProcessRuntime(options, imagesDir);
  runtime.adoptAll();
  void runtime.look();
  options.signal.addEventListener("abort", () => runtime.leave(), { once: true });
  return runtime;
}

class ProcessRuntime implements Runtime {
  readonly name = "process";
  readonly version = "0.1.0";
  readonly #options: ProcessRuntimeOptions;
  readonly #imagesDir: string;
  readonly #sandboxes: SandboxDeps;
  readonly #cgroups: ContainerCgroups | undefined;
  readonly #window = new PipeWindow();
  readonly #turns = new Turns();
  readonly #pods = new Map<string, PodState>();
  readonly #images: BuiltImages;
  readonly #listeners = new Set<(podUid: string) => void>();

  constructor(options: ProcessRuntimeOptions, imagesDir: string) {
    this.#options = options;
    const { kernel, netnsDir, network, log } = options;
    const mounts = options.cgroups ?? findCgroupMounts();
    this.#cgroups = mounts && new ContainerCgroups(mounts, options.clock);
    const bootId = options.bootId ?? readBootId();
    this.#sandboxes = { kernel, netnsDir, network, log, bootId, cgroups: this.#cgroups };
    this.#imagesDir = imagesDir;
    this.#images = new BuiltImages(imagesDir);
  }

  get #podsDir(): string {
    return join(this.#options.stateDir, "pods");
  }

  podUids(): readonly string[] {
    return [...this.#pods.keys()];
  }

  sandbox(podUid: string): Sandbox | undefined {
    return this.#pods.get(podUid)?.sandbox?.sandbox;
  }

  runs(podUid: string): readonly Run[] {
    const runs = (this.#pods.get(podUid)?.containers ?? []).map((container) => container.run);
    return runs.sort((a, b) => b.attempt - a.attempt);
  }

  subscribe(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async runSandbox(config: SandboxConfig): Promise<Sandbox> {
    const network = this.#options.network();
    if (!network && !config.isHostNetwork) throw new Fault("NetworkNotReady", "the pod network is not ready");
    await this.stopSandbox(config.podUid);
    const pod = this.#pod(config.podUid);
    const planned = plannedSandbox(pod.folder.path, config, this.#sandboxes, this.#now());
    pod.folder.writeSandbox(planned);
    const ips = await makeSandbox(planned, config, this.#sandboxes);
    pod.sandbox = { ...planned, isComplete: true, sandbox: { ...planned.sandbox, ips, isReady: true } };
    pod.folder.writeSandbox(pod.sandbox);
    return pod.sandbox.sandbox;
  }

  async stopSandbox(podUid: string): Promise<void> {
    const pod = this.#pods.get(podUid);
    if (!pod?.sandbox) return;
    await takeSandboxAway(pod.sandbox, this.#sandboxes);
    pod.sandbox = { ...pod.sandbox, sandbox: { ...pod.sandbox.sandbox, isReady: false } };
    pod.folder.writeSandbox(pod.sandbox);
  }

  async removePod(podUid: string): Promise<void> {
    await this.stopSandbox(podUid);
    const pod = this.#pods.get(podUid);
    for (const container of pod?.containers ?? []) container.abandon();
    pod?.folder.remove();
    this.#pods.delete(podUid);
  }

  /** The pod network's part of it is told by whoever holds the network. */
  condition(): RuntimeCondition {
    return { isRuntimeReady: true, isNetworkReady: true, messages: [] };
  }

  subscribeCondition(): () => void {
    return () => {};
  }

  async images(): Promise<readonly StoredImage[]> {
    return [];
  }

  async imagesInUse(): Promise<ReadonlySet<string>> {
    return new Set();
  }

  async removeImage(): Promise<void> {}

  async findImage(image: string): Promise<FoundImage | undefined> {
    return this.#images.find(image);
  }

  /** Nothing is fetched from anywhere: what is not carried is nowhere. */
  async pullImage(image: string): Promise<FoundImage> {
    return this.#images.require(image);
  }

  async startContainer(config: ContainerConfig): Promise<Run> {
    const pod = this.#pods.get(config.podUid);
    if (!pod?.sandbox?.sandbox.isReady)
      throw new Fault(
        "CreateContainerError",
        `Cannot start container ${config.name}: the pod has no sandbox`,
      );
    const pid = this.#pidNamespace(config, pod.sandbox);
    this.#forgetOldRuns(pod, config.name);
    const record = plannedRun(config, {
      bootId: this.#sandboxes.bootId,
      cgroupParent: this.#cgroups && pod.sandbox.cgroupParent,
      createdAt: this.#now(),
    });
    pod.folder.writeRun(record);
    const container = this.#container(record, pod);
    pod.containers.push(container);
    const { netns, shared } = pod.sandbox;
    try {
      await startRun(
        { container, config, netns, shared, pid },
        {
          rootDir: join(this.#options.stateDir, "root"),
          usersDir: join(this.#options.stateDir, "users"),
          imagesDir: this.#imagesDir,
          cgroups: this.#cgroups,
        },
      );
    } catch (error) {
      if (!isFault(error) && !isRefusal(error)) throw error;
      container.fail(explain(error), this.#now());
      throw new Fault("StartError", explain(error), { cause: error });
    }
    return container.run;
  }

  stopContainer(id: string, { graceMs }: { graceMs: number }): Promise<void> {
    return this.#find(id)?.stop(graceMs) ?? Promise.resolve();
  }

  async exec(
    id: string,
    options: { command: readonly string[]; timeoutMs: number | undefined },
  ): Promise<ExecResult> {
    const container = this.#find(id);
    if (!container?.isAlive)
      throw new Fault("NotRunning", `Cannot run a command: container ${id} is not running`);
    return container.exec(innerCommand(container.run.image, options.command), options.timeoutMs);
  }

  async openStream(request: StreamRequest): Promise<StreamTarget> {
    return openProcessStream(request, {
      container: (id) => this.#find(id)?.besides,
      own: (id) => this.#find(id)?.own,
      innerCommand: (id, command) => innerCommand(this.#find(id)?.run.image ?? "", command),
      netns: (podUid) => {
        const { sandbox } = this.#pods.get(podUid) ?? {};
        if (!sandbox?.sandbox.isReady) throw new Fault("NotFound", `pod ${podUid} has no sandbox`);
        return sandbox.netns;
      },
    });
  }

  async reopenLog(id: string): Promise<void> {
    this.#find(id)?.reopenLog();
  }

  async updateResources(id: string, resources: Resources): Promise<void> {
    const container = this.#find(id);
    if (!container?.isAlive)
      throw new Fault("NotRunning", `Cannot change the limits of ${id}: it is not running`);
    if (!container.updateResources(resources))
      throw new Fault("NotSupported", `Cannot change the limits of ${id}: this machine keeps none`);
  }

  async usage(): Promise<ReadonlyMap<string, Usage>> {
    const at = this.#now();
    const all = [...this.#pods.values()].flatMap(({ containers }) => containers);
    return new Map(
      all.flatMap((container) => {
        const usage = container.usage(at);
        return usage ? [[container.run.id, usage] as const] : [];
      }),
    );
  }

  /** Knows again what earlier agents wrote down. Read errors of one pod leave it out, never touch what it runs. */
  adoptAll(): void {
    for (const uid of namesIn(this.#podsDir)) this.#adoptPod(uid);
  }

  leave(): void {
    for (const pod of this.#pods.values()) for (const container of pod.containers) container.leave();
  }

  /** Looks now and then after what the kernel did not tell of, until aborted. */
  async look(): Promise<void> {
    const { clock, signal } = this.#options;
    for await (const _ of ticks(clock, LOOK_MS, { signal }))
      for (const [uid, pod] of this.#pods) {
        for (const container of pod.containers) container.check();
        if (pod.sandbox?.sandbox.isReady && !sandboxStands(pod.sandbox, this.#sandboxes))
          this.#lose(uid, pod.sandbox);
      }
  }

  /** Namespaces can go while the agent runs: somebody unmounts them, or kills the process they hang on. */
  #lose(uid: string, lost: SandboxRecord): void {
    const pod = this.#pod(uid);
    pod.sandbox = { ...lost, sandbox: { ...lost.sandbox, isReady: false } };
    this.#options.log.warn("a pod's sandbox is gone; it is made again", { pod: uid });
    this.#tell(uid);
  }

  #adoptPod(uid: string): void {
    const pod = this.#pod(uid);
    const sandbox = pod.folder.readSandbox();
    if (sandbox) {
      const isReady = sandbox.sandbox.isReady && sandboxStands(sandbox, this.#sandboxes);
      pod.sandbox = { ...sandbox, sandbox: { ...sandbox.sandbox, isReady } };
    }
    for (const record of pod.folder.readRuns()) this.#adoptRun(record, pod);
  }

  #adoptRun(record: RunRecord, pod: PodState): void {
    const container = this.#container(record, pod);
    if (!record.exit && container.wasNeverStarted) {
      if (record.cgroup !== undefined) void this.#cgroups?.remove(record.cgroup);
      pod.folder.removeRun(record.run);
      return;
    }
    pod.containers.push(container);
    container.follow();
  }

  #container(record: RunRecord, { folder }: PodState): ProcessContainer {
    const { clock, log } = this.#options;
    return new ProcessContainer(record, {
      folder,
      clock,
      log,
      window: this.#window,
      turns: this.#turns,
      cgroups: this.#cgroups,
      onExit: () => this.#tell(record.run.podUid),
    });
  }

  /** @throws {Fault} "CreateContainerError" when what it is to see has ended */
  #pidNamespace({ pid, name }: ContainerConfig, { shared }: SandboxRecord): NamespaceChoice {
    if (pid === "container") return "new";
    if (pid === "node") return "same";
    const target = pid === "pod" ? initPid(shared) : this.#find(pid.target)?.pid;
    if (target !== undefined) return { path: `/proc/${target}/ns/pid` };
    throw new Fault(
      "CreateContainerError",
      `Cannot start container ${name}: the processes it is to see have ended`,
    );
  }

  #pod(uid: string): PodState {
    const standing = this.#pods.get(uid);
    if (standing) return standing;
    const pod: PodState = { folder: new PodFolder(this.#podsDir, uid), sandbox: undefined, containers: [] };
    this.#pods.set(uid, pod);
    return pod;
  }

  #forgetOldRuns(pod: PodState, name: string): void {
    const [, ...older] = pod.containers
      .filter((container) => container.run.name === name && container.run.exit)
      .sort((a, b) => b.run.attempt - a.run.attempt);
    for (const container of older) container.removeFiles();
    pod.containers = pod.containers.filter((container) => !older.includes(container));
  }

  #find(id: string): ProcessContainer | undefined {
    for (const pod of this.#pods.values())
      for (const container of pod.containers) if (container.run.id === id) return container;
    return undefined;
  }

  #tell(podUid: string): void {
    for (const listener of this.#listeners) listener(podUid);
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

/** An error of the file system, such as a volume that would have to be mounted where nothing can be made. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

function initPid({ init }: SandboxRecord["shared"]): number | undefined {
  return init === undefined ? undefined : new Supervisor(init).containerPid;
}
