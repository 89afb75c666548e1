import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { addressOf } from "#addr/cidr";
import { explain, Fault, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { PodNetwork } from "../../network.ts";
import { networkKey, networkRequest } from "../../network-request.ts";
import type {
  ContainerConfig,
  ExecResult,
  FoundImage,
  ImageRequest,
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
import { imageRefOf, innerCommand, requireImage } from "./carried-images.ts";
import { ProcessContainer } from "./container.ts";
import { findByEnvironment, readBootId, startTicksOf } from "./identity.ts";
import { buildImages } from "./images/build.ts";
import { EXIT_FILE } from "./images/preamble.ts";
import { isNetnsMounted, makePodNetns, netnsPath } from "./pod-netns.ts";
import { namesIn, PodFolder, type RunRecord, type SandboxRecord } from "./record.ts";
import { exitFile, startRun } from "./start-run.ts";
import { openProcessStream } from "./stream/open-stream.ts";

export interface ProcessRuntimeOptions {
  readonly kernel: Kernel;
  /** Where everything is written down: `$DATA/agent/process`. */
  readonly stateDir: string;
  /** Bundles of the carried images; default `<stateDir>/images`. */
  readonly imagesDir?: string;
  readonly netnsDir: string;
  /** The pod network once there is one. */
  readonly network: () => PodNetwork | undefined;
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
  const runtime = new ProcessRuntime(options, imagesDir);
  runtime.adoptAll();
  options.signal.addEventListener("abort", () => runtime.leave(), { once: true });
  return runtime;
}

class ProcessRuntime implements Runtime {
  readonly name = "process";
  readonly version = "0.1.0";
  readonly #options: ProcessRuntimeOptions;
  readonly #imagesDir: string;
  readonly #bootId = readBootId();
  readonly #pods = new Map<string, PodState>();
  /** Under way from the start; only the first container has to wait for it. */
  readonly #images: Promise<void>;
  readonly #listeners = new Set<(podUid: string) => void>();

  constructor(options: ProcessRuntimeOptions, imagesDir: string) {
    this.#options = options;
    this.#imagesDir = imagesDir;
    this.#images = buildImages(imagesDir);
    this.#images.catch(() => {}); // Told by the first container that needs one.
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
    const planned = this.#plannedSandbox(config);
    pod.folder.writeSandbox(planned);
    const ips =
      network && planned.netns !== undefined ? await this.#wire(planned, config, network, planned.netns) : [];
    pod.sandbox = { ...planned, isComplete: true, sandbox: { ...planned.sandbox, ips, isReady: true } };
    pod.folder.writeSandbox(pod.sandbox);
    return pod.sandbox.sandbox;
  }

  async stopSandbox(podUid: string): Promise<void> {
    const pod = this.#pods.get(podUid);
    if (!pod?.sandbox) return;
    await this.#unwire(pod.sandbox);
    pod.sandbox = { ...pod.sandbox, sandbox: { ...pod.sandbox.sandbox, isReady: false } };
    pod.folder.writeSandbox(pod.sandbox);
  }

  async removePod(podUid: string): Promise<void> {
    await this.stopSandbox(podUid);
    const pod = this.#pods.get(podUid);
    for (const container of pod?.containers ?? []) container.leave();
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

  async ensureImage({ image }: ImageRequest): Promise<FoundImage> {
    const carried = requireImage(image);
    try {
      await this.#images;
    } catch (error) {
      throw new Fault("ErrImagePull", `Cannot build the image ${image}: ${explain(error)}`, { cause: error });
    }
    return { imageRef: imageRefOf(carried, this.#imagesDir), wasPresent: true };
  }

  async startContainer(config: ContainerConfig): Promise<Run> {
    const pod = this.#pods.get(config.podUid);
    if (!pod?.sandbox?.sandbox.isReady)
      throw new Fault(
        "CreateContainerError",
        `Cannot start container ${config.name}: the pod has no sandbox`,
      );
    this.#forgetOldRuns(pod, config.name);
    const record = this.#plannedRun(config);
    pod.folder.writeRun(record);
    const container = new ProcessContainer(record, {
      folder: pod.folder,
      clock: this.#options.clock,
      signal: this.#options.signal,
      onExit: () => this.#tell(config.podUid),
    });
    pod.containers.push(container);
    try {
      startRun(
        { container, config, record, folder: pod.folder, netns: pod.sandbox.netns },
        { rootDir: join(this.#options.stateDir, "root"), imagesDir: this.#imagesDir, now: () => this.#now() },
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
      innerCommand: (id, command) => innerCommand(this.#find(id)?.run.image ?? "", command),
      netns: (podUid) => {
        const { sandbox } = this.#pods.get(podUid) ?? {};
        if (!sandbox?.sandbox.isReady) throw new Fault("NotFound", `pod ${podUid} has no sandbox`);
        return sandbox.netns;
      },
    });
  }

  async reopenLog(): Promise<void> {}

  async updateResources(): Promise<void> {
    throw new Fault("NotSupported", "Cannot change the limits of a process: it has none");
  }

  async usage(): Promise<ReadonlyMap<string, Usage>> {
    return new Map();
  }

  /** Knows again what earlier agents wrote down. Read errors of one pod leave it out, never touch what it runs. */
  adoptAll(): void {
    for (const uid of namesIn(this.#podsDir)) this.#adoptPod(uid);
  }

  leave(): void {
    for (const pod of this.#pods.values()) for (const container of pod.containers) container.leave();
  }

  #adoptPod(uid: string): void {
    const pod = this.#pod(uid);
    const sandbox = pod.folder.readSandbox();
    if (sandbox) {
      const isReady = sandbox.isComplete && sandbox.sandbox.isReady && this.#stands(sandbox);
      pod.sandbox = { ...sandbox, sandbox: { ...sandbox.sandbox, isReady } };
    }
    for (const record of pod.folder.readRuns()) {
      const found = record.exit || record.process ? record : this.#withFoundProcess(record);
      if (found.exit || found.process) pod.containers.push(this.#adoptRun(uid, pod.folder, found));
      else pod.folder.removeRun(record.run); // It was written down, and never started.
    }
  }

  #adoptRun(uid: string, folder: PodFolder, found: RunRecord): ProcessContainer {
    const known = found.bootId === this.#bootId ? found : { ...found, process: undefined };
    const container = new ProcessContainer(known, {
      folder,
      clock: this.#options.clock,
      signal: this.#options.signal,
      onExit: () => this.#tell(uid),
    });
    container.adopt();
    return container;
  }

  /** The agent died between starting the process and writing its pid down. */
  #withFoundProcess(record: RunRecord): RunRecord {
    const pid = findByEnvironment(`${EXIT_FILE}=${exitFile(record.run.id)}`);
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    return pid === undefined || startTicks === undefined
      ? record
      : { ...record, process: { pid, startTicks } };
  }

  #stands({ bootId, netns }: SandboxRecord): boolean {
    return bootId === this.#bootId && (netns === undefined || isNetnsMounted(netns));
  }

  #pod(uid: string): PodState {
    const standing = this.#pods.get(uid);
    if (standing) return standing;
    const pod: PodState = { folder: new PodFolder(this.#podsDir, uid), sandbox: undefined, containers: [] };
    this.#pods.set(uid, pod);
    return pod;
  }

  #plannedSandbox(config: SandboxConfig): SandboxRecord {
    const { podUid, podName, podNamespace, attempt, isHostNetwork } = config;
    return {
      version: 1,
      bootId: this.#bootId,
      isComplete: false,
      netns: isHostNetwork ? undefined : netnsPath(this.#options.netnsDir),
      sandbox: {
        id: randomBytes(32).toString("hex"),
        podUid,
        podName,
        podNamespace,
        attempt,
        isHostNetwork,
        createdAt: this.#now(),
        ips: [],
        isReady: false,
      },
    };
  }

  async #wire(
    record: SandboxRecord,
    config: SandboxConfig,
    network: PodNetwork,
    netns: string,
  ): Promise<Sandbox["ips"]> {
    try {
      makePodNetns(this.#options.kernel, netns, config.sysctls);
      const { ips } = await network.add(networkRequest(networkKey(record.sandbox, netns), config));
      return ips.map(addressOf);
    } catch (error) {
      await this.#unwireAfterFailure(record);
      throw error;
    }
  }

  async #unwire({ sandbox, netns }: SandboxRecord): Promise<void> {
    if (netns === undefined) return;
    await this.#options.network()?.remove(networkKey(sandbox, netns));
    this.#options.kernel.deleteNetns(netns);
  }

  /** The first error is the one to tell; the network goes on taking back what it could not. */
  async #unwireAfterFailure(record: SandboxRecord): Promise<void> {
    try {
      await this.#unwire(record);
    } catch (error) {
      this.#options.log.warn("a failed set-up left something behind", { error: explain(error) });
      if (record.netns !== undefined) this.#options.kernel.deleteNetns(record.netns);
    }
  }

  #plannedRun(config: ContainerConfig): RunRecord {
    const { podUid, name, attempt, image, imageRef, hash, logPath } = config;
    const id = randomBytes(32).toString("hex");
    const createdAt = this.#now();
    return {
      version: 1,
      bootId: this.#bootId,
      run: { id, podUid, name, attempt, image, imageRef, hash, logPath, createdAt, startedAt: createdAt },
      terminationMessage: { fallBackToLogs: config.terminationMessage.fallBackToLogs },
      process: undefined,
      exit: undefined,
      env: { ...requireImage(image).env, HOSTNAME: config.hostname ?? "", HOME: "/root", ...config.env },
      workingDir: config.workingDir ?? "/",
    };
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
