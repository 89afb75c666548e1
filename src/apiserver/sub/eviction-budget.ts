import type { Pod, PodDisruptionBudget } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { POD_DISRUPTION_BUDGETS } from "#kube/resources";
import { isObject, type JsonObject, listAt, objectAt } from "../json.ts";
import { forbidden, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { formatTime } from "../verbs/metadata.ts";
import { writeRequest } from "../verbs/write.ts";

/** Evictions that were allowed and that the controller has not seen yet; more of them and something is wrong. */
const MOST_DISRUPTED = 2000;
const BUDGETS = { group: "policy", plural: "poddisruptionbudget" };

/** Why a pod may go: no budget covers it, it counts for nothing because it is not ready, or its share was taken. */
export type Allowance =
  | { readonly kind: "free" }
  | { readonly kind: "unready"; readonly budget: string }
  | { readonly kind: "taken" }
  /** Several budgets cover it. */
  | { readonly kind: "ambiguous" };

/** Takes one disruption from the budget that covers the pod. @throws {StatusFault} TooManyRequests, Forbidden */
export async function takeFromBudget(call: Call, pod: Pod, dryRun: boolean): Promise<Allowance> {
  const { api, info } = call;
  const budgets = api.world
    .list(POD_DISRUPTION_BUDGETS, info.namespace)
    .filter(
      ({ spec }) => spec?.selector !== undefined && matchesSelector(spec.selector, pod.metadata.labels),
    );
  if (budgets.length > 1) return { kind: "ambiguous" };
  const budget = budgets[0];
  if (budget === undefined) return { kind: "free" };
  if (isFreeAnyway(pod, budget)) return { kind: "unready", budget: budget.metadata.name };
  refuseUnless(budget);
  const cache = api.world.cacheOf(POD_DISRUPTION_BUDGETS.group, POD_DISRUPTION_BUDGETS.plural);
  if (dryRun || cache === undefined) return { kind: "taken" };
  // the call's view is of pods
  const { view: _, ...write } = writeRequest(call);
  const request = { ...write, cache, dryRun: false, subresource: "status" };
  await api.writer.update(request, budget.metadata.name, (live) => {
    refuseUnless(live.object as PodDisruptionBudget);
    return {
      draft: lessened(live.draft(), pod.metadata.name, formatTime(api.clock.now())),
      fieldsAreSet: true,
    };
  });
  return { kind: "taken" };
}

/** Whether an unready pod may go whatever the budget has left. */
function isFreeAnyway(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  const isReady = (pod.status?.conditions ?? []).some(
    ({ type, status: state }) => type === "Ready" && state === "True",
  );
  if (isReady) return false;
  if (spec?.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const desired = status?.desiredHealthy ?? 0;
  return desired > 0 && (status?.currentHealthy ?? 0) >= desired;
}

function refuseUnless({ metadata, status }: PodDisruptionBudget): void {
  const allowed = status?.disruptionsAllowed ?? 0;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw stillProcessed(metadata.name);
  if (allowed < 0) throw forbidden(BUDGETS, metadata.name, "pdb disruptions allowed is negative");
  if (Object.keys(status?.disruptedPods ?? {}).length > MOST_DISRUPTED)
    throw forbidden(
      BUDGETS,
      metadata.name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  if (allowed > 0) return;
  const failure = status?.conditions?.find(
    ({ type, reason }) => type === "DisruptionAllowed" && reason === "SyncFailed",
  );
  if (failure !== undefined)
    throw tooMany(
      `The disruption budget ${metadata.name} does not allow evicting pods currently because it failed sync: ${failure.message}`,
    );
  throw tooMany(whyNone(metadata.name, status));
}

function whyNone(name: string, status: PodDisruptionBudget["status"]): string {
  const desired = status?.desiredHealthy ?? 0;
  const current = status?.currentHealthy ?? 0;
  // more are healthy than needed, and still none may go: nothing is expected of this budget
  return current > desired
    ? `The disruption budget ${name} does not allow evicting pods currently`
    : `The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`;
}

function lessened(draft: JsonObject, pod: string, now: string): JsonObject {
  const status = objectAt(draft, "status") ?? {};
  const left = Number(status["disruptionsAllowed"] ?? 0) - 1;
  draft["status"] = {
    ...status,
    disruptionsAllowed: left,
    disruptedPods: { ...objectAt(status, "disruptedPods"), [pod]: now },
    ...(left === 0 ? { conditions: exhausted(listAt(status, "conditions") ?? [], now, draft) } : {}),
  };
  return draft;
}

/** The last one was taken: the condition says so at once, not only when the controller comes by. */
function exhausted(conditions: readonly unknown[], now: string, draft: JsonObject): JsonObject[] {
  const isOurs = (condition: JsonObject) => condition["type"] === "DisruptionAllowed";
  const old = conditions.filter(isObject);
  const generation = objectAt(draft, "metadata")?.["generation"] ?? 0;
  const was = old.find(isOurs);
  const lastTransitionTime = was?.["status"] === "False" ? (was["lastTransitionTime"] ?? now) : now;
  return [
    ...old.filter((condition) => !isOurs(condition)),
    {
      type: "DisruptionAllowed",
      status: "False",
      observedGeneration: generation,
      lastTransitionTime,
      reason: "InsufficientPods",
      message: "",
    },
  ];
}

/** The budget's numbers are older than the budget: ask again. */
export function stillProcessed(budget: string): StatusFault {
  return tooMany(`The disruption budget ${budget} is still being processed by the server.`, 10);
}

function tooMany(text: string, retryAfterSeconds?: number): StatusFault {
  return new StatusFault(
    "TooManyRequests",
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      details: {
        causes: [{ reason: "DisruptionBudget", message: text }],
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      },
    },
  );
}
