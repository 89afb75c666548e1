import { rmSync } from "node:fs";
import { asError, explain, isFault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { PODS } from "#kube/resources";
import { Prober } from "../probe/prober.ts";
import { isTerminal } from "../status/phase.ts";
import { isRunning } from "../status/run-view.ts";
import { containerHash } from "./container-hash.ts";
import { ContainerSteps } from "./container-steps.ts";
import { note, type PodContext, podLogFolder } from "./context.ts";
import { overdueMs } from "./deadline.ts";
import { makeSandbox } from "./make-sandbox.ts";
import { type PodPlan, planPod } from "./plan.ts";
import { type PodFailure, PodReport } from "./pod-report.ts";
import { type PendingResize, Resizes } from "./resizes.ts";
import { retryMs } from "./retry.ts";
import { MIN_GRACE_MS, stopPod } from "./stop-pod.ts";
import { sleepUnless, unlessAborted } from "./unless-aborted.ts";

const RESYNC_MS = 60_000;
const DEFAULT_GRACE_SECONDS = 30;

export interface WorkerOptions {
  /** Nothing of the pod is ever started: it fails at once, for this reason. */
  readonly refusal: PodFailure | undefined;
  /** Until this has resolved nothing of it is started. */
  readonly mayStart: Promise<unknown>;
  /** Why the pod cannot have what it now asks for. */
  readonly judge: (pod: Pod) => PendingResize | undefined;
}

/** Takes one pod from its assignment to its last trace: started and kept as its spec says, then stopped once, for good.
 *  Everything about the pod happens here, one step at a time; news only wakes it. */
export class PodWorker {
  readonly #context: PodContext;
  readonly #prober: Prober;
  readonly #report: PodReport;
  readonly #steps: ContainerSteps;
  readonly #stop = new AbortController();
  /** Aborted as soon as the pod is to end: no hook and no pull is waited for then. */
  readonly #ending = new AbortController();
  readonly #resizes: Resizes;
  readonly #judge: (pod: Pod) => PendingResize | undefined;
  readonly #mayStart: Promise<unknown>;
  /** As the API has it. */
  #told: Pod;
  /** With what the node has allotted to it. */
  #pod: Pod;
  #isRemoved = false;
  #isStopped = false;
  #failure: PodFailure | undefined;
  #deadline: number | undefined;
  #anewSince: string | undefined;
  #beginsAnew = false;
  #news = Promise.withResolvers<void>();
  #refreshAt: number | undefined;
  readonly #stopped = Promise.withResolvers<void>();

  constructor(pod: Pod, context: PodContext, { refusal, mayStart, judge }: WorkerOptions) {
    this.#mayStart = mayStart;
    this.#resizes = new Resizes(pod);
    this.#judge = judge;
    this.#told = pod;
    this.#pod = this.#resizes.take(pod, judge);
    this.#context = context;
    if (refusal) {
      this.#failure = { ...refusal, message: `Pod was rejected: ${refusal.message}`, isRefusal: true };
      note(context, pod, { type: "Warning", ...refusal });
    }
    this.#prober = new Prober({
      clock: context.clock,
      signal: AbortSignal.any([context.signal, this.#stop.signal]),
      onChange: () => this.wake(),
      onNews: (container, news) => this.#report.noteProbe(container.name, news),
      onOutcome: ({ name }, found) => context.probeCounts.add(this.#pod, name, found),
      onBug: (error) => context.log.error("a probe ended unexpectedly", { pod: pod.metadata.name, error }),
    });
    this.#report = new PodReport(context, {
      pod: () => this.#pod,
      waiting: () => this.#steps.failures.waiting(),
      prober: this.#prober,
      anewSince: () => this.#anewSince,
      beginsAnew: () => this.#beginsAnew,
      resizes: this.#resizes,
    });
    this.#steps = new ContainerSteps(context, this.#resizes, () => this.#report.facts());
  }

  get uid(): string {
    return this.#pod.metadata.uid ?? "";
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Nothing of it will run again, whatever the API has heard of that. */
  get isOver(): boolean {
    return (
      this.#isRemoved || this.#isStopped || this.#failure !== undefined || isTerminal(this.#pod.status?.phase)
    );
  }

  /** The pod as the API has it now. */
  update(pod: Pod): void {
    this.#told = pod;
    this.#pod = this.#resizes.take(pod, this.#judge);
    this.#noticeEnd();
    this.wake();
  }

  /** The API no longer has the pod: it is stopped all the same. */
  remove(): void {
    this.#isRemoved = true;
    this.#noticeEnd();
    this.wake();
  }

  /** Resolves once nothing of it runs, nor will again. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Ends it for good. @returns `stopped` */
  evict(why: PodFailure): Promise<void> {
    if (this.#isEnding) return this.stopped;
    const { reason, message, graceSeconds } = why;
    note(this.#context, this.#pod, { type: "Warning", reason, message });
    this.#failure = why;
    if (graceSeconds !== undefined) this.#deadline = this.#context.clock.now() + graceSeconds * 1000;
    this.#noticeEnd();
    this.wake();
    return this.stopped;
  }

  wake(): void {
    this.#news.resolve();
  }

  /** Works until the pod is gone from the API and from this machine, or the node's part stops (which stops no pod). */
  async run(): Promise<void> {
    const { signal, log } = this.#context;
    await unlessAborted(this.#mayStart, AbortSignal.any([signal, this.#ending.signal]));
    while (!signal.aborted) {
      this.#news = Promise.withResolvers();
      let waitMs: number | undefined;
      try {
        if (this.#isEnding) {
          if (await this.#end()) break;
        } else waitMs = await this.#syncUntilEnding();
      } catch (thrown) {
        if (signal.aborted) break;
        if (!isFault(thrown))
          log.error("a pod's step broke; will try again", { pod: this.#name, error: asError(thrown) });
        else log.warn("a pod's step failed; will try again", { pod: this.#name, error: explain(thrown) });
        waitMs = retryMs(thrown);
      }
      await sleepUnless(this.#news.promise, waitMs ?? RESYNC_MS, this.#context);
    }
    this.#stop.abort();
  }

  get #name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`;
  }

  get #isEnding(): boolean {
    return (
      this.#isRemoved ||
      this.#isStopped ||
      this.#failure !== undefined ||
      this.#pod.metadata.deletionTimestamp !== undefined ||
      isTerminal(this.#pod.status?.phase)
    );
  }

  /** What a step that was given up says is of no interest any more. */
  async #syncUntilEnding(): Promise<number> {
    try {
      return await this.#sync();
    } catch (error) {
      if (this.#ending.signal.aborted) return 0;
      throw error;
    }
  }

  /** One step towards what the spec says. @returns when to look again, in ms */
  async #sync(): Promise<number> {
    const overdue = overdueMs(this.#pod, this.#report.startTime, this.#context.clock.now());
    if (overdue !== undefined && overdue <= 0) {
      this.#failure = {
        reason: "DeadlineExceeded",
        message: "Pod was active on the node longer than the specified deadline",
      };
      note(this.#context, this.#pod, { type: "Normal", ...this.#failure });
      return 0;
    }
    this.#watchProbes(); // Before anything is said: what an earlier agent started is as ready as it was.
    const plan = this.#plan();
    if (plan.kind === "finish") {
      this.#isStopped = true;
      return 0;
    }
    if (this.#resizes.pending) this.#pod = this.#resizes.take(this.#told, this.#judge);
    this.#context.cgroups.ensure(this.#pod);
    await this.#resizeRunning();
    const volumes = this.#prepareVolumes();
    volumes.catch(() => {}); // Awaited below; the sandbox is made while the API answers.
    if (plan.kind === "sandbox") await this.#makeSandbox();
    const paths = await volumes;
    const wakeAt = await this.#act(paths);
    this.#report.tellResizes();
    this.#report.publish();
    const times = [wakeAt, this.#refreshAt, this.#steps.failures.nextChangeAt()].filter(
      (at) => at !== undefined,
    );
    return Math.min(
      RESYNC_MS,
      overdue ?? RESYNC_MS,
      ...times.map((at) => Math.max(0, at - this.#context.clock.now())),
    );
  }

  /** What cannot be done now is tried again with the next step, and shows in the status until then. */
  async #resizeRunning(): Promise<void> {
    for (const view of this.#report.view().containers.filter(isRunning))
      await this.#steps.resize(view, this.#pod).catch((error: unknown) => {
        const about = { pod: this.#name, container: view.spec.name, error: explain(error) };
        this.#context.log.warn("a container's limits could not be changed", about);
      });
  }

  #plan(): PodPlan {
    const view = this.#report.view();
    return planPod(view, {
      now: this.#context.clock.now(),
      backoff: this.#steps.backoff,
      condemned: ({ current }) => {
        const probe = current && this.#prober.failure(current);
        return probe === "readiness" ? undefined : probe;
      },
      hashOf: ({ spec }) => containerHash(spec),
      needsRestart: ({ current, spec }) =>
        current !== undefined && this.#resizes.needsRestart(current.id, spec),
    });
  }

  /** Starts and kills what the plan says, until it says nothing new. @returns when the earliest held-back container is due */
  async #act(volumes: ReadonlyMap<string, string>): Promise<number> {
    const signal = AbortSignal.any([this.#context.signal, this.#ending.signal]);
    for (;;) {
      signal.throwIfAborted();
      const plan = this.#plan();
      if (plan.kind === "anew") await this.#beginAnew(plan.because);
      if (plan.kind !== "run") return this.#context.clock.now();
      await Promise.all(plan.kill.map((kill) => this.#steps.kill(kill, this.#pod)));
      let hasStarted = false;
      for (const view of plan.start)
        hasStarted = (await this.#steps.start(view, this.#pod, { volumes, signal })) || hasStarted;
      this.#watchProbes();
      if (hasStarted || plan.kill.length > 0) continue;
      for (const [name, at] of plan.heldBack) {
        const view = this.#report.view().containers.find(({ spec }) => spec.name === name);
        if (view) this.#steps.holdBack(view, this.#pod, at);
      }
      return Math.min(...plan.heldBack.values(), Number.POSITIVE_INFINITY);
    }
  }

  async #prepareVolumes(): Promise<ReadonlyMap<string, string>> {
    const { references, volumes, signal } = this.#context;
    try {
      await references.retain(this.#pod, { signal });
      const prepared = await volumes.prepare(this.#pod, this.#report.facts());
      this.#refreshAt = prepared.refreshAt;
      return prepared.paths;
    } catch (error) {
      if (isFault(error)) {
        note(this.#context, this.#pod, { type: "Warning", reason: "FailedMount", message: error.message });
        this.#report.publish();
      }
      throw error;
    }
  }

  async #makeSandbox(): Promise<void> {
    try {
      await makeSandbox(this.#pod, this.#context);
    } catch (error) {
      this.#report.publish();
      throw error;
    }
  }

  /** All containers end, without their hooks, and what ran so far counts as past: init containers come first again. */
  async #beginAnew(because: string): Promise<void> {
    const { runtime, clock } = this.#context;
    const alive = runtime.runs(this.uid).filter(({ exit }) => exit === undefined);
    note(this.#context, this.#pod, {
      type: "Normal",
      reason: "RestartAllContainers",
      message: `Container ${because} ended in the way that restarts all containers of the pod`,
    });
    this.#beginsAnew = true;
    this.#report.publish();
    await Promise.all(alive.map(({ id }) => runtime.stopContainer(id, { graceMs: 2_000 })));
    this.#anewSince = new Date(clock.now()).toISOString();
    this.#beginsAnew = false;
    this.wake();
  }

  #watchProbes(): void {
    const { runtime } = this.#context;
    const running = this.#report.view().containers.filter(isRunning);
    this.#prober.keepOnly(new Set(running.flatMap(({ current }) => current?.id ?? [])));
    const ip = this.#report.facts().podIps[0] ?? "";
    for (const { current, spec, kind } of running) {
      if (!current || kind === "init" || kind === "ephemeral") continue;
      const exec = (command: readonly string[], timeoutMs: number) =>
        runtime.exec(current.id, { command, timeoutMs });
      const told = this.#pod.status?.containerStatuses?.find(
        ({ containerID }) => containerID === `${runtime.name}://${current.id}`,
      );
      const earlier = told && { isStarted: told.started ?? false, isReady: told.ready };
      this.#prober.watch(current, { container: spec, ip, exec }, earlier);
    }
  }

  /** Stops everything and says so; then waits for the API to let go. @returns true when nothing of the pod is left */
  async #end(): Promise<boolean> {
    const { runtime, status, client, clock } = this.#context;
    this.#noticeEnd();
    const podIp = this.#report.facts().podIps[0] ?? "";
    const deadline = () => this.#deadline ?? clock.now();
    if (this.#report.view().containers.some(isRunning)) {
      this.#prober.keepOnlyReadiness();
      this.#report.publish();
      await this.#tellUntil(stopPod(this.#report.view(), { deadline, podIp }, this.#context));
    }
    this.#prober.stop();
    if (!this.#isRemoved) this.#report.publish({ isOver: true, failure: this.#failure });
    await runtime.stopSandbox(this.uid);
    this.#context.volumes.remove(this.uid);
    this.#context.references.release(this.uid);
    await this.#context.cgroups.remove(this.uid);
    this.#stopped.resolve();
    const { metadata } = this.#pod;
    if (!this.#isRemoved && metadata.deletionTimestamp !== undefined) {
      await status.settled(this.uid);
      await client.delete(PODS, metadata, { gracePeriodSeconds: 0, uid: this.uid });
    }
    if (!this.#isRemoved) return false;
    await runtime.removePod(this.uid);
    rmSync(podLogFolder(this.#context.settings.podLogsDir, this.#pod), { recursive: true, force: true });
    status.forget(this.uid);
    this.#context.probeCounts.forget(this.uid);
    return true;
  }

  /** Who still serves while it ends, and what of it has ended: the API hears of each change until the work is done. */
  async #tellUntil(work: Promise<void>): Promise<void> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    for (;;) {
      await Promise.race([done, this.#news.promise]);
      if (isDone) return;
      this.#news = Promise.withResolvers();
      this.#report.publish();
    }
  }

  #noticeEnd(): void {
    if (!this.#isEnding) return;
    this.#ending.abort();
    this.#shortenGrace();
  }

  /** The grace only ever shrinks; containers that are stopping already hear of it. */
  #shortenGrace(): void {
    const { metadata, spec } = this.#pod;
    const specSeconds = spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const seconds = Math.max(1, metadata.deletionGracePeriodSeconds ?? specSeconds);
    const { clock, runtime } = this.#context;
    const deadline = clock.now() + seconds * 1000;
    const isShorter = this.#deadline !== undefined && deadline < this.#deadline;
    this.#deadline = Math.min(this.#deadline ?? deadline, deadline);
    if (!isShorter) return;
    for (const { id, exit } of runtime.runs(this.uid))
      if (!exit) void runtime.stopContainer(id, { graceMs: Math.max(MIN_GRACE_MS, seconds * 1000) });
  }
}
