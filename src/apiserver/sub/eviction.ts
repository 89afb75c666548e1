import type { Pod, PodDisruptionBudget } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { POD_DISRUPTION_BUDGETS } from "#kube/resources";
import { objectKey } from "../cache/resource-cache.ts";
import { objectAt } from "../json.ts";
import { notFound, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { deleteObject, fromBody } from "../verbs/delete.ts";
import { checkPlace, formatTime } from "../verbs/metadata.ts";
import { readObject, writeRequest } from "../verbs/write.ts";

const EVICTION = {
  definition: "io.k8s.api.policy.v1.Eviction",
  resource: { group: "policy", version: "v1", kind: "Eviction", plural: "evictions", namespaced: true },
};

/** POST `pods/NAME/eviction`: deletes a pod if its disruption budget allows. */
export async function evict(call: Call): Promise<void> {
  const { api, cache, info, reply } = call;
  const name = info.name ?? "";
  const eviction = await readObject(call, EVICTION);
  checkPlace(eviction, { namespace: info.namespace, name });
  const key = objectKey(info.namespace, name);
  const pod: Pod | undefined = cache.get(key)?.object;
  if (pod === undefined) throw notFound(cache.spec.resource, name);
  const options = fromBody(objectAt(eviction, "deleteOptions") ?? {});
  const request = writeRequest(call);
  const dryRun = request.dryRun || options.dryRun;
  if (needsBudget(pod)) await takeFromBudget(call, pod, dryRun);
  await deleteObject(api.writer, {
    request: { ...request, dryRun },
    key,
    name,
    options,
    now: api.clock.now(),
  });
  reply.json(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}

function needsBudget({ status, metadata }: Pod): boolean {
  const phase = status?.phase ?? "";
  return !["Succeeded", "Failed", "Pending"].includes(phase) && metadata.deletionTimestamp === undefined;
}

async function takeFromBudget(call: Call, pod: Pod, dryRun: boolean): Promise<void> {
  const { api, info } = call;
  const budgets = api.world
    .list(POD_DISRUPTION_BUDGETS, info.namespace)
    .filter(
      ({ spec }) => spec?.selector !== undefined && matchesSelector(spec.selector, pod.metadata.labels),
    );
  if (budgets.length > 1)
    throw new StatusFault(
      "InternalError",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  const budget = budgets[0];
  if (budget === undefined || isFreeAnyway(pod, budget)) return;
  refuseUnless(budget);
  const cache = api.world.cacheOf(POD_DISRUPTION_BUDGETS.group, POD_DISRUPTION_BUDGETS.plural);
  if (dryRun || cache === undefined) return;
  const request = { ...writeRequest(call), cache, subresource: "status" };
  await api.writer.update(request, budget.metadata.name, (live) => {
    const object: PodDisruptionBudget = live.object as PodDisruptionBudget;
    refuseUnless(object);
    const draft = live.draft();
    const status = objectAt(draft, "status") ?? {};
    const disruptedPods = {
      ...objectAt(status, "disruptedPods"),
      [pod.metadata.name]: formatTime(api.clock.now()),
    };
    draft["status"] = {
      ...status,
      disruptionsAllowed: (object.status?.disruptionsAllowed ?? 0) - 1,
      disruptedPods,
    };
    return { draft, fieldsAreSet: true };
  });
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
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw tooMany(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
  if ((status?.disruptionsAllowed ?? 0) > 0) return;
  const text = `The disruption budget ${metadata.name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`;
  throw tooMany(text);
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
