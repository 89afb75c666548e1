import { asError } from "#fault/fault";
import type { Job, JobStatus, Pod } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting } from "#kube/owner";
import { JOBS, PODS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue } from "../context.ts";
import { BY_CONTROLLER, BY_NAMESPACE, candidatesOf } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { PodControl } from "../pod-control.ts";
import { isFinished as isPodFinished, isReady } from "../pods.ts";
import { slowStart } from "../slow-start.ts";
import { planCrew } from "./crew.ts";
import { type Facts, gatherFacts } from "./facts.ts";
import { continueStreak, NO_STREAK, type Streak } from "./patience.ts";
import { draftPod, isIndexed, isTracked, TRACKING, uidOfPod } from "./pods.ts";
import { releasePod, releasePods } from "./release.ts";
import { firstStatus, type Headcount, isSameStatus, lastStatus, suspensionEvent } from "./status.ts";
import { tallyPods } from "./tally.ts";
import { COMPLETIONS_REACHED, deadlineMs, isFinished, type Verdict, verdictOf } from "./verdict.ts";

/** Pods that end together are counted together. */
const GATHER_MS = 50;
const OURS = "kubernetes.io/job-controller";

/** What became of the crew in one round. */
interface Crew {
  readonly heads: Headcount;
  readonly againMs?: number;
  readonly error?: Error;
}

/** Runs the pods of each Job until enough have succeeded, or too many failed. */
export function runJobs(context: ControllerContext): void {
  new Jobs(context).run();
}

/** Whether somebody else looks after this Job. */
export function isManagedElsewhere({ spec }: Job): boolean {
  return spec?.managedBy !== undefined && spec.managedBy !== OURS;
}

class Jobs {
  readonly #context: ControllerContext;
  readonly #pods: PodControl;
  readonly #jobs: Ledger<Job>;
  readonly #queue: WorkQueue<string>;
  /** Failures in a row by the Job's uid. */
  readonly #streaks = new Map<string, Streak>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#pods = new PodControl(context, "job-controller");
    this.#jobs = new Ledger(context.informers.jobs, context.clock);
    this.#queue = openQueue(context, "job", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { jobs, pods } = this.#context.informers;
    jobs.subscribe((change) => {
      if (change.type === "removed") this.#streaks.delete(change.before.metadata.uid ?? "");
      this.#queue.add(change.key);
    });
    pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type !== "added") this.#podChanged(change.before);
    });
  }

  #podChanged(pod: Pod): void {
    const owner = controllerKey(pod, JOBS);
    if (owner !== undefined) this.#queue.addAfter(owner, GATHER_MS);
    if (controllerOf(pod) !== undefined) return;
    const { namespace = "", labels } = pod.metadata;
    for (const job of this.#context.informers.jobs.byIndex(BY_NAMESPACE, namespace)) {
      const selector = job.spec?.selector ?? {};
      if (!isEmptySelector(selector) && matchesSelector(selector, labels)) this.#queue.add(keyOf(job));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client } = this.#context;
    const job = informers.jobs.get(key);
    if (job === undefined) {
      this.#pods.ledger.forget(key);
      this.#jobs.forget(key);
      return undefined;
    }
    if (isManagedElsewhere(job)) return undefined;
    if (isFinished(job)) return this.#leave(job);
    if (!this.#jobs.isSettled(key) || !this.#pods.ledger.isSettled(key)) return undefined;
    const own = { resource: JOBS, parent: job, selector: job.spec?.selector ?? {} };
    const pods = await claimChildren(client, own, {
      resource: PODS,
      candidates: candidatesOf(informers.pods, job),
      finalizer: TRACKING,
    });
    return this.#round(key, gatherFacts(job, pods));
  }

  /** Nothing of a finished Job is to be held; its pods were let go before it was. */
  async #leave(job: Job): Promise<undefined> {
    this.#streaks.delete(job.metadata.uid ?? "");
    const pods = this.#context.informers.pods.byIndex(BY_CONTROLLER, job.metadata.uid ?? "");
    await releasePods(this.#context.client, pods.filter(isTracked), () => {});
  }

  async #round(key: string, facts: Facts): Promise<number | undefined> {
    const { job } = facts;
    const now = this.#context.clock.now();
    const streak = continueStreak(this.#streakOf(facts), facts.fresh);
    const early = verdictOf(facts, now);
    const crew =
      early === undefined ? await this.#manage(key, facts, streak) : await this.#dissolve(key, facts);
    const isDone = early === undefined && isComplete(facts, crew.heads);
    const verdict =
      crew.error === undefined ? (early ?? (isDone ? COMPLETIONS_REACHED : undefined)) : undefined;
    const status = await this.#count(key, facts, { heads: crew.heads, verdict, streak });
    if (crew.error !== undefined) throw crew.error;
    const waits = [crew.againMs, deadlineMs({ ...job, status }, now)].filter((ms) => ms !== undefined);
    return isFinished({ ...job, status }) || waits.length === 0 ? undefined : Math.max(1, Math.min(...waits));
  }

  /** First the uids, then the finalizers, then the numbers: whoever stops in between can go on from there. */
  async #count(
    key: string,
    facts: Facts,
    {
      heads,
      verdict,
      streak,
    }: { readonly heads: Headcount; readonly verdict: Verdict | undefined; readonly streak: Streak },
  ): Promise<JobStatus> {
    const { job } = facts;
    const now = this.#context.clock.now();
    const held = new Set(facts.pods.filter(isTracked).map(uidOfPod));
    const tally = tallyPods(facts, verdict);
    const first = firstStatus(facts, { tally, heads, verdict, isHeld: (uid) => held.has(uid), now });
    const noted = await this.#write(key, job, first);
    this.#streaks.set(job.metadata.uid ?? "", streak);
    const { released, error } = await releasePods(this.#context.client, tally.release, (pod) =>
      this.#pods.ledger.created(key, pod),
    );
    const isHeld = (uid: string) => held.has(uid) && !released.has(uid);
    const isEnd = !tally.isFull && error === undefined;
    const last = lastStatus(first, {
      isHeld,
      verdict: isEnd ? verdict : undefined,
      isIndexed: isIndexed(job),
      now,
    });
    const done = await this.#write(key, noted, last);
    this.#announce(job, done, verdict);
    if (error !== undefined) throw error;
    return last;
  }

  async #write(key: string, job: Job, status: JobStatus): Promise<Job> {
    if (isSameStatus(job.status, status)) return job;
    const stored = await this.#context.client.replace(JOBS, { ...job, status }, { subresource: "status" });
    this.#jobs.created(key, stored);
    return stored;
  }

  #announce(before: Job, after: Job, verdict: Verdict | undefined): void {
    const { events } = this.#pods;
    const suspension = suspensionEvent(before, after.status ?? {});
    if (suspension !== undefined) {
      const message = `Job ${suspension.toLowerCase()}`;
      events.record(before, { type: "Normal", reason: suspension, message });
    }
    if (verdict === undefined || !isFinished(after)) return;
    const { type, reason, message } = verdict;
    if (type === "FailureTarget") {
      events.record(before, { type: "Warning", reason, message });
      return;
    }
    const { completions } = before.spec ?? {};
    if (completions !== undefined && (after.status?.succeeded ?? 0) > completions) {
      const message = "Too many succeeded pods running after completion count reached";
      events.record(before, { type: "Warning", reason: "TooManySucceededPods", message });
    }
    events.record(before, { type: "Normal", reason: "Completed", message: "Job completed" });
  }

  async #manage(key: string, facts: Facts, streak: Streak): Promise<Crew> {
    const plan = isDeleting(facts.job)
      ? ({ kind: "enough" } as const)
      : planCrew(facts, streak, this.#context.clock.now());
    switch (plan.kind) {
      case "enough":
        return { heads: headsOf(facts, new Set()) };
      case "wait":
        return { heads: headsOf(facts, new Set()), againMs: plan.ms };
      case "hire":
        return this.#hire(key, facts, plan.indexes);
      case "dismiss":
        // Who is sent away early neither succeeded nor failed.
        return this.#dismiss(key, facts, plan.pods, async (pod) => {
          const stored = await releasePod(this.#context.client, pod);
          if (stored !== undefined) this.#pods.ledger.created(key, stored);
        });
      default:
        return plan satisfies never;
    }
  }

  async #hire(key: string, facts: Facts, indexes: readonly (number | undefined)[]): Promise<Crew> {
    const { job } = facts;
    const left = indexes.values();
    let hired = 0;
    const headcount = () => {
      const heads = headsOf(facts, new Set());
      return { ...heads, active: heads.active + hired };
    };
    try {
      await slowStart(indexes.length, async () => {
        const index = left.next().value;
        const replaced = index === undefined ? undefined : facts.indexes?.heldBack.get(index);
        await this.#pods.create(key, job, draftPod(job, index, replaced));
        hired++;
      });
      return { heads: headcount() };
    } catch (error) {
      return { heads: headcount(), error: asError(error) };
    }
  }

  /** The Job is to end: all its pods go, and are counted before they are let go. */
  #dissolve(key: string, facts: Facts): Promise<Crew> {
    return this.#dismiss(key, facts, facts.active, async () => {});
  }

  async #dismiss(
    key: string,
    facts: Facts,
    pods: readonly Pod[],
    prepare: (pod: Pod) => Promise<void>,
  ): Promise<Crew> {
    const gone = new Set<Pod>();
    const results = await Promise.allSettled(
      pods.map(async (pod) => {
        await prepare(pod);
        await this.#pods.delete(key, facts.job, pod);
        gone.add(pod);
      }),
    );
    const refused = results.find((result) => result.status === "rejected");
    return {
      heads: headsOf(facts, gone),
      ...(refused === undefined ? {} : { error: asError(refused.reason) }),
    };
  }

  /** A controller that was started again learns from the pods that were counted before. */
  #streakOf({ job, pods, fresh }: Facts): Streak {
    const known = this.#streaks.get(job.metadata.uid ?? "");
    if (known !== undefined) return known;
    const news = new Set([...fresh.succeeded, ...fresh.failed]);
    const counted = pods.filter((pod) => isPodFinished(pod) && !news.has(pod));
    const ended = (phase: string) => counted.filter(({ status }) => status?.phase === phase);
    return continueStreak(NO_STREAK, { succeeded: ended("Succeeded"), failed: ended("Failed") });
  }
}

/** Enough successes, and nobody works any more; without a number of completions, one success is enough. */
function isComplete({ job, succeeded }: Facts, { active }: Headcount): boolean {
  return (
    active === 0 && (job.spec?.completions === undefined ? succeeded > 0 : succeeded >= job.spec.completions)
  );
}

function headsOf({ active, terminating }: Facts, gone: ReadonlySet<Pod>): Headcount {
  const left = active.filter((pod) => !gone.has(pod));
  return {
    active: left.length,
    ready: left.filter(isReady).length,
    terminating: terminating + gone.size,
  };
}
