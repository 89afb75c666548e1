import { isDeepStrictEqual } from "node:util";
import { isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type {
  LabelSelector,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { POD_DISRUPTION_BUDGETS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { expectedScale } from "./scale.ts";
import { runStaleConditions } from "./stale-condition.ts";
import {
  budgetStatus,
  disruptionsOf,
  type Expectation,
  expectationOf,
  failedStatus,
  needsScale,
} from "./status.ts";

/** Keeps every disruption budget's numbers right: how many of its pods may be evicted now. */
export function runDisruptionBudgets(context: ControllerContext): void {
  new DisruptionBudgets(context).run();
  runStaleConditions(context);
}

class DisruptionBudgets {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "controllermanager");
    this.#queue = openQueue(context, "disruption", { workers: 2, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { budgets, pods } = this.#context.informers;
    budgets.subscribe((change) => {
      if (change.type !== "removed") this.#queue.add(change.key);
    });
    pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type === "removed" || (change.type === "changed" && movedAway(change.before, change.object)))
        this.#podChanged(change.before);
    });
  }

  #podChanged(pod: Pod): void {
    const covering = this.#context.informers.budgets
      .byIndex(BY_NAMESPACE, pod.metadata.namespace ?? "")
      .filter((budget) => covers(budget, pod));
    for (const budget of covering) this.#queue.add(keyOf(budget));
    const [first, second] = covering;
    if (first === undefined || second === undefined) return;
    const message = `Pod "${pod.metadata.namespace}"/"${pod.metadata.name}" matches multiple PodDisruptionBudgets.  Chose "${first.metadata.name}" arbitrarily.`;
    this.#events.record(pod, { type: "Warning", reason: "MultiplePodDisruptionBudgets", message });
  }

  async #sync(key: string): Promise<number | undefined> {
    const budget = this.#context.informers.budgets.get(key);
    if (budget === undefined) return undefined;
    try {
      return await this.#bringUpToDate(budget);
    } catch (error) {
      if (isApiFault(error, "Conflict", "NotFound")) throw error;
      await this.#write(budget, failedStatus(budget, wordsOf(error), this.#context.clock.now()));
      throw error;
    }
  }

  async #bringUpToDate(budget: PodDisruptionBudget): Promise<number | undefined> {
    const { informers, clock } = this.#context;
    const now = clock.now();
    const pods = informers.pods
      .byIndex(BY_NAMESPACE, budget.metadata.namespace ?? "")
      .filter((pod) => covers(budget, pod));
    if (pods.length === 0) this.#note(budget, "Normal", "NoPods", "No matching pods found");
    const expectation = await this.#expectation(budget, pods);
    const { disruptedPods, overdue, recheckMs } = disruptionsOf(budget, pods, now);
    for (const pod of overdue) {
      const message = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`;
      this.#events.record(pod, { type: "Warning", reason: "NotDeleted", message });
    }
    await this.#write(budget, budgetStatus(budget, expectation, disruptedPods, { pods, now }));
    return recheckMs;
  }

  async #expectation(budget: PodDisruptionBudget, pods: readonly Pod[]): Promise<Expectation> {
    if (!needsScale(budget)) return expectationOf(budget, pods.length);
    try {
      const { replicas, unmanaged } = await expectedScale(this.#context, pods);
      if (unmanaged.length > 0) this.#note(budget, "Warning", "UnmanagedPods", unmanagedText(budget));
      return expectationOf(budget, replicas);
    } catch (error) {
      const message = `Failed to calculate the number of expected pods: ${wordsOf(error)}`;
      this.#note(budget, "Warning", "CalculateExpectedPodCountFailed", message);
      throw error;
    }
  }

  async #write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (isDeepStrictEqual(budget.status, status)) return;
    await this.#context.client.replace(
      POD_DISRUPTION_BUDGETS,
      { ...budget, status },
      { subresource: "status" },
    );
  }

  #note(budget: PodDisruptionBudget, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#events.record(budget, { type, reason, message });
  }
}

function covers({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  return spec?.selector !== undefined && matchesSelector(spec.selector, metadata.labels);
}

function movedAway(before: Pod, after: Pod): boolean {
  return !isDeepStrictEqual(before.metadata.labels ?? {}, after.metadata.labels ?? {});
}

function unmanagedText({ spec }: PodDisruptionBudget): string {
  const selector = selectorStructure(spec?.selector ?? {});
  return `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
}

/** The selector in the form that kube-controller-manager prints it, the one of Go's structures. */
function selectorStructure({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.keys(matchLabels)
    .sort()
    .map((key) => `${key}: ${matchLabels[key]},`);
  const requirements = matchExpressions.map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join("")}},MatchExpressions:[]LabelSelectorRequirement{${requirements.join("")}},}`;
}
