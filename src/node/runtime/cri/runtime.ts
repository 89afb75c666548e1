import { Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type {
  ContainerConfig,
  ExecResult,
  FoundImage,
  Resources,
  Run,
  Runtime,
  RuntimeCondition,
  RuntimeFeatures,
  Sandbox,
  SandboxConfig,
  StoredImage,
  StreamRequest,
  StreamTarget,
  Usage,
} from "../runtime.ts";
import type { CriChannel } from "./channel.ts";
import { ConditionWatch } from "./condition.ts";
import { createRequest, resourcesRequest } from "./container-request.ts";
import { CriFault, hasStatus, unlessAbsent } from "./cri-fault.ts";
import { Images, type ImagesDeps, imageUser } from "./images.ts";
import { Inventory } from "./inventory.ts";
import { type RemoveDeps, removeContainer, removeLeftovers, removeSandbox } from "./leftovers.ts";
import { formatNanos, nameOf, type PodRecord, runsOf, sandboxOf } from "./records.ts";
import { sandboxRequest } from "./sandbox-request.ts";
import { Stopping } from "./stopping.ts";
import { openStream } from "./streams.ts";
import type { TerminationFiles } from "./termination.ts";

export interface CriDeps extends ImagesDeps {
  /** What `Version` told. */
  readonly name: string;
  readonly version: string;
  readonly termination: TerminationFiles;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const CALL_MS = 120_000;

/** Pods by way of the Container Runtime Interface: what it says of them is what the runtime itself listed. */
export class CriRuntime implements Runtime {
  readonly name: string;
  readonly version: string;
  readonly inventory: Inventory;
  readonly conditionWatch: ConditionWatch;
  readonly #deps: CriDeps;
  readonly #images: Images;
  readonly #stopping: Stopping;

  constructor(deps: CriDeps) {
    this.#deps = deps;
    this.name = deps.name;
    this.version = deps.version;
    this.inventory = new Inventory(deps);
    this.conditionWatch = new ConditionWatch(deps);
    this.#images = new Images(deps);
    this.#stopping = new Stopping(deps);
  }

  podUids(): readonly string[] {
    return this.inventory.uids();
  }

  sandbox(podUid: string): Sandbox | undefined {
    const pod = this.inventory.pod(podUid);
    return pod && sandboxOf(pod);
  }

  runs(podUid: string): readonly Run[] {
    const pod = this.inventory.pod(podUid);
    return pod ? runsOf(pod) : [];
  }

  subscribe(listener: (podUid: string) => void): () => void {
    return this.inventory.subscribe(listener);
  }

  features(): RuntimeFeatures {
    const { handlers, features } = this.conditionWatch;
    const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/.exec(this.version) ?? [];
    return {
      handlers: handlers.map(({ name, features: able }) => ({
        name,
        recursiveReadOnlyMounts: able?.recursiveReadOnlyMounts ?? false,
        userNamespaces: able?.userNamespaces ?? false,
      })),
      supplementalGroupsPolicy: features?.supplementalGroupsPolicy,
      // It is said nowhere: containerd has them since 2.1.
      imageVolumes: this.name !== "containerd" || Number(major) * 1000 + Number(minor) >= 2001,
    };
  }

  condition(): RuntimeCondition {
    return this.conditionWatch.current();
  }

  subscribeCondition(listener: () => void): () => void {
    return this.conditionWatch.subscribe(listener);
  }

  async runSandbox(config: SandboxConfig): Promise<Sandbox> {
    const { podUid } = config;
    // Nobody here gives out ranges of user ids yet; with the host's users the pod would be less shut in than it asks to be.
    if (config.hasOwnUsers)
      throw new Fault(
        "CreatePodSandboxError",
        "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
      );
    await this.stopSandbox(podUid);
    const before = this.inventory.pod(podUid);
    // A sandbox that failed keeps its name until it is removed: only the list knows which attempts are free.
    const attempt = Math.max(config.attempt, ...attemptsIn(before).map((taken) => taken + 1));
    const request = {
      config: sandboxRequest({ ...config, attempt }),
      runtimeHandler: config.runtimeHandler,
    };
    try {
      await this.#call("RunPodSandbox", request);
    } catch (error) {
      await this.#removeFailedSandboxes(podUid, before);
      throw error;
    }
    const pod = await this.inventory.refresh(podUid);
    const made = pod && sandboxOf(pod);
    if (!made?.isReady) throw new Fault("SandboxNotReady", "the sandbox ended as soon as it was made");
    return made;
  }

  async stopSandbox(podUid: string): Promise<void> {
    const pod = await this.inventory.refresh(podUid);
    if (!pod) return;
    for (const { listed } of pod.sandboxes)
      await unlessAbsent(this.#call("StopPodSandbox", { podSandboxId: listed.id }));
    await this.inventory.refresh(podUid);
  }

  async removePod(podUid: string): Promise<void> {
    const pod = await this.inventory.refresh(podUid);
    for (const { listed } of pod?.sandboxes ?? [])
      await unlessAbsent(this.#call("StopPodSandbox", { podSandboxId: listed.id }));
    for (const record of pod?.containers ?? []) await removeContainer(podUid, record, this.#removeDeps);
    for (const { listed } of pod?.sandboxes ?? []) await removeSandbox(listed.id, this.#removeDeps);
    this.#deps.termination.removePod(podUid);
    await this.inventory.refresh(podUid);
  }

  findImage(image: string): Promise<FoundImage | undefined> {
    return this.#images.find(image);
  }

  pullImage(image: string, options: Parameters<Runtime["pullImage"]>[1]): Promise<FoundImage> {
    return this.#images.pull(image, options);
  }

  images(): Promise<readonly StoredImage[]> {
    return this.#images.list();
  }

  async imagesInUse(): Promise<ReadonlySet<string>> {
    const pods = this.inventory.uids().flatMap((uid) => this.inventory.pod(uid) ?? []);
    const mounts = pods.flatMap(({ containers }) => containers.flatMap(({ status }) => status?.mounts ?? []));
    return new Set([...(await this.#images.inUse()), ...mounts.flatMap(({ image }) => image?.image ?? [])]);
  }

  removeImage(id: string): Promise<void> {
    return this.#images.remove(id);
  }

  async startContainer(config: ContainerConfig): Promise<Run> {
    const id = await this.#create(config);
    try {
      await this.#call("StartContainer", { containerId: id });
    } catch (error) {
      if (!(error instanceof CriFault)) throw error;
      await this.inventory.refresh(config.podUid).catch(() => undefined); // The failure itself is what is told.
      throw new Fault("StartError", error.words);
    }
    const pod = await this.inventory.refresh(config.podUid);
    const run = pod && runsOf(pod).find((one) => one.id === id);
    if (!run) throw new Fault("StartError", `container ${config.name} was removed as soon as it was started`);
    return run;
  }

  async stopContainer(id: string, { graceMs }: { graceMs: number }): Promise<void> {
    await this.#stopping.stop(id, graceMs);
    const uid = this.inventory.ownerOf(id);
    if (uid !== undefined) await this.inventory.refresh(uid);
  }

  async exec(
    id: string,
    { command, timeoutMs }: { command: readonly string[]; timeoutMs: number | undefined },
  ): Promise<ExecResult> {
    const seconds = Math.ceil((timeoutMs ?? 0) / 1000);
    const request = { containerId: id, cmd: command, timeout: BigInt(seconds) };
    const { channel, signal } = this.#deps;
    try {
      // Without a limit of its own a command may take as long as it likes.
      const limitMs = seconds === 0 ? undefined : seconds * 1000 + CALL_MS;
      const answer = await channel.call("ExecSync", request, { timeoutMs: limitMs, signal });
      const output = Buffer.concat([answer.stdout, answer.stderr]).toString("utf8");
      const errors = Buffer.from(answer.stderr).toString("utf8");
      return { code: answer.exitCode, output, errors, isTimedOut: false };
    } catch (error) {
      if (!(error instanceof CriFault) || error.code === "RuntimeDown") throw error;
      if (error.status === "DeadlineExceeded" && !isOwnDeadline(error))
        return { code: -1, output: error.words, errors: "", isTimedOut: true };
      throw new Fault(execFailure(error), error.message);
    }
  }

  openStream(request: StreamRequest): Promise<StreamTarget> {
    return openStream(request, { ...this.#deps, sandbox: (uid) => this.sandbox(uid) });
  }

  async reopenLog(id: string): Promise<void> {
    await this.#call("ReopenContainerLog", { containerId: id });
  }

  async updateResources(id: string, resources: Resources): Promise<void> {
    try {
      await this.#call("UpdateContainerResources", { containerId: id, linux: resourcesRequest(resources) });
    } catch (error) {
      if (hasStatus(error, "Unimplemented")) throw new Fault("NotSupported", error.words);
      throw error;
    }
  }

  async imageFolder(): Promise<string | undefined> {
    const { imageFilesystems } = await this.#call("ImageFsInfo", {});
    return imageFilesystems[0]?.fsId?.mountpoint || undefined;
  }

  async usage(): Promise<ReadonlyMap<string, Usage>> {
    const { stats } = await this.#call("ListContainerStats", {});
    return new Map(
      stats.flatMap(({ attributes, cpu, memory, writableLayer }) => {
        if (!attributes || !cpu || !memory) return [];
        const usage: Usage = {
          at: formatNanos(cpu.timestamp),
          cpuNanoseconds: Number(cpu.usageCoreNanoSeconds?.value ?? 0n),
          workingSetBytes: Number(memory.workingSetBytes?.value ?? 0n),
          layer: {
            bytes: Number(writableLayer?.usedBytes?.value ?? 0n),
            inodes: Number(writableLayer?.inodesUsed?.value ?? 0n),
          },
        };
        return [[attributes.id, usage]];
      }),
    );
  }

  /** Removes what no pod needs any more. */
  async collect(): Promise<void> {
    for (const uid of this.inventory.uids()) {
      const pod = this.inventory.pod(uid);
      if (pod && (await removeLeftovers(pod, this.#removeDeps))) await this.inventory.refresh(uid);
    }
  }

  get #removeDeps(): RemoveDeps {
    return this.#deps;
  }

  #call: CriChannel["call"] = (name, request, options = {}) =>
    this.#deps.channel.call(name, request, { signal: this.#deps.signal, ...options });

  /** @throws {Fault} "CreateContainerError" */
  async #create(config: ContainerConfig): Promise<string> {
    const { podUid, name, attempt } = config;
    try {
      const pod = await this.inventory.refresh(podUid);
      const sandbox = pod && sandboxOf(pod);
      if (!pod || !sandbox?.isReady)
        throw new Fault("CreateContainerError", `Cannot create container ${name}: the pod has no sandbox`);
      await this.#removeUnstarted(pod, name);
      const place = {
        sandboxId: sandbox.id,
        terminationFile: this.#deps.termination.make(podUid, name, attempt),
        imageUser: config.security.uid === undefined ? await this.#userOf(config.imageRef) : undefined,
      };
      const { containerId } = await this.#call("CreateContainer", createRequest(config, place));
      return containerId;
    } catch (error) {
      if (!(error instanceof CriFault)) throw error;
      throw new Fault("CreateContainerError", error.words);
    }
  }

  async #userOf(imageRef: string): Promise<FoundImage["user"]> {
    const image = await this.#images.get(imageRef);
    return image && imageUser(image);
  }

  /** An agent that ended between creating and starting a container left its name taken. */
  async #removeUnstarted(pod: PodRecord, name: string): Promise<void> {
    for (const record of pod.containers)
      if (record.listed.state === "CONTAINER_CREATED" && nameOf(record.listed) === name)
        await removeContainer(pod.uid, record, this.#removeDeps);
  }

  /** What the runtime could not clean up after a failure: it would keep the pod's address. */
  async #removeFailedSandboxes(podUid: string, before: PodRecord | undefined): Promise<void> {
    const known = new Set(before?.sandboxes.map(({ listed }) => listed.id));
    try {
      const pod = await this.inventory.refresh(podUid);
      const failed = pod?.sandboxes.filter(({ listed }) => !known.has(listed.id)) ?? [];
      for (const { listed } of failed) await removeSandbox(listed.id, this.#removeDeps);
      if (failed.length > 0) await this.inventory.refresh(podUid);
    } catch (error) {
      this.#deps.log.warn("a sandbox that failed could not be removed yet", { podUid, error });
    }
  }
}

function attemptsIn(pod: PodRecord | undefined): readonly number[] {
  return pod?.sandboxes.map(({ listed }) => listed.metadata?.attempt ?? 0) ?? [];
}

/** The runtime fell silent; that says nothing of the command. */
function isOwnDeadline({ words }: CriFault): boolean {
  return /^Deadline exceeded after/.test(words);
}

function execFailure({ status, words }: CriFault): "NotFound" | "NotRunning" | "ExecFailed" {
  if (status === "NotFound") return "NotFound";
  return /is in CONTAINER_\w+ state/.test(words) ? "NotRunning" : "ExecFailed";
}
