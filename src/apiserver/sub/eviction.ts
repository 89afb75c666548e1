import { isFault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { objectKey } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import { isObject, type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import { badRequest, conflict, notFound } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { type DeleteOptions, deleteObject, fromBody } from "../verbs/delete.ts";
import { checkPlace, formatTime, metadataOf } from "../verbs/metadata.ts";
import { readObject, writeRequest } from "../verbs/write.ts";
import { stillProcessed, takeFromBudget } from "./eviction-budget.ts";

const EVICTION = {
  definition: "io.k8s.api.policy.v1.Eviction",
  resource: { group: "policy", version: "v1", kind: "Eviction", plural: "evictions", namespaced: true },
  // Drained by clients older than policy/v1, too.
  olderVersions: ["policy/v1beta1"],
};
const ATTEMPTS = 20;
const EVICTED = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
const AMBIGUOUS = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
  code: 500,
};

/** POST `pods/NAME/eviction`: deletes a pod if its disruption budget allows.
 *  @see pkg/registry/core/pod/storage/eviction.go in kubernetes */
export async function evict(call: Call): Promise<void> {
  const { info, reply } = call;
  const eviction = await readObject(call, EVICTION);
  checkPlace(eviction, { namespace: info.namespace, name: undefined });
  if ((textAt(metadataOf(eviction), "name") ?? "") !== info.name)
    throw badRequest("name in URL does not match name in Eviction object");
  await call.api.writer.admitWhole(writeRequest(call), eviction, info.name ?? "");
  const options = optionsOf(call, objectAt(eviction, "deleteOptions") ?? {});
  const isPinned = options.resourceVersion !== undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      const code = await attemptEviction(call, options);
      return reply.json(code, code === 201 ? EVICTED : AMBIGUOUS);
    } catch (error) {
      // Only a pod that nobody's budget counts may be looked at again: a share of a budget is taken once.
      if (!(error instanceof Moved)) throw error;
      if (error.budget !== undefined && !isPinned) throw stillProcessed(error.budget);
      if (isPinned || attempt === ATTEMPTS) throw error.cause;
    }
  }
}

/** The pod changed after it was judged. */
class Moved extends Error {
  /** The budget that had let it go unready. */
  readonly budget: string | undefined;

  constructor(budget: string | undefined, cause: unknown) {
    super("the pod changed meanwhile", { cause });
    this.budget = budget;
  }
}

async function attemptEviction(call: Call, options: DeleteOptions): Promise<201 | 500> {
  const { cache, info } = call;
  const name = info.name ?? "";
  const stored = cache.get(objectKey(info.namespace, name));
  if (stored === undefined) throw notFound(cache.spec.resource, name);
  const pod: Pod = stored.object;
  const isFree = canIgnoreBudgets(pod);
  const verdict = isFree ? { kind: "free" as const } : await takeFromBudget(call, pod, options.dryRun);
  if (verdict.kind === "ambiguous") return 500;
  // Judged by a state that must not have changed: a pod that has become ready meanwhile counts for its budget.
  const mustBeSame = verdict.kind === "unready" || (isFree && !isOver(pod));
  const pinned = options.resourceVersion ?? (mustBeSame ? String(stored.revision) : undefined);
  try {
    await markAndDelete(call, { ...options, resourceVersion: pinned });
    return 201;
  } catch (error) {
    const isMoved = isFault(error) && error.code === "Conflict" && verdict.kind !== "taken";
    throw isMoved ? new Moved(verdict.kind === "unready" ? verdict.budget : undefined, error) : error;
  }
}

/** Says on the pod why it goes, then deletes it. */
async function markAndDelete(call: Call, options: DeleteOptions): Promise<void> {
  const { api, info } = call;
  const name = info.name ?? "";
  const key = objectKey(info.namespace, name);
  const request = { ...writeRequest(call), dryRun: options.dryRun, isJudged: true };
  let version = options.resourceVersion;
  if (!options.dryRun) {
    const marked = await api.writer.update({ ...request, subresource: "status" }, name, (live) => {
      checkSame(call, live, options);
      // Nobody is entered for it in managedFields.
      return { draft: withCondition(live.draft(), formatTime(api.clock.now())), fieldsAreSet: true };
    });
    if (version !== undefined) version = String(marked.stored.revision);
  }
  await deleteObject(api.writer, {
    request,
    key,
    name,
    options: { ...options, resourceVersion: version },
    now: api.clock.now(),
  });
}

function checkSame({ cache, info }: Call, live: Stored, { uid, resourceVersion }: DeleteOptions): void {
  const isSame =
    (uid === undefined || uid === live.object.metadata.uid) &&
    (resourceVersion === undefined || resourceVersion === String(live.revision));
  if (!isSame) throw conflict(cache.spec.resource, info.name ?? "");
}

function withCondition(draft: JsonObject, now: string): JsonObject {
  // a pod on its way out keeps the reason it was given first
  if (metadataOf(draft)["deletionTimestamp"] !== undefined) return draft;
  const status = objectAt(draft, "status") ?? {};
  const conditions = (listAt(status, "conditions") ?? []).filter(
    (condition) => !(isObject(condition) && condition["type"] === "DisruptionTarget"),
  );
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: now,
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
  };
  draft["status"] = { ...status, conditions: [...conditions, condition] };
  return draft;
}

function optionsOf(call: Call, body: JsonObject): DeleteOptions {
  const options = fromBody(body);
  const asked = writeRequest(call).dryRun;
  const inBody = listAt(body, "dryRun") ?? [];
  const inQuery = call.query.getAll("dryRun");
  if (inBody.length > 0 && inQuery.length > 0 && inBody.join() !== inQuery.join())
    throw badRequest(
      `Non-matching dry-run options in request and content: [${inQuery.join(" ")}] and [${inBody.join(" ")}]`,
    );
  return { ...options, dryRun: asked || options.dryRun };
}

/** Such a pod does its work no longer, or not yet: taking it away disrupts nothing. */
function canIgnoreBudgets(pod: Pod): boolean {
  return isOver(pod) || pod.status?.phase === "Pending";
}

function isOver({ status, metadata }: Pod): boolean {
  const phase = status?.phase ?? "";
  return phase === "Succeeded" || phase === "Failed" || metadata.deletionTimestamp !== undefined;
}
