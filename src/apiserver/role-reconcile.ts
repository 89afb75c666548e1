import { isFault } from "#fault/fault";
import type { PolicyRule, Subject } from "#kube/generated/types";
import type { Api } from "./api.ts";
import { uncoveredRules } from "./auth/rules.ts";
import { objectKey } from "./cache/resource-cache.ts";
import type { Stored } from "./cache/stored.ts";
import { type Json, type JsonObject, listAt, objectAt, sameJson, textAt } from "./json.ts";
import { bootstrapRoles, type RbacObject } from "./kinds/bootstrap/roles.ts";
import { ownDraft, ownWrite } from "./verbs/own-write.ts";
import type { WriteRequest } from "./verbs/write-request.ts";

const GROUP = "rbac.authorization.k8s.io";
const AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate";

/** Every cluster has the default roles and bindings, with all the rules and subjects they come with; what somebody added to them stays, and one whose
 *  autoupdate annotation is "false" is left alone. @see kubernetes component-helpers/auth/rbac/reconciliation */
export async function reconcileRoles(api: Api): Promise<void> {
  // A binding may be written before its role, but whoever looks in between should find neither or the role.
  const wanted = bootstrapRoles();
  const isRole = (object: RbacObject) => !("roleRef" in object);
  for (const batch of [wanted.filter(isRole), wanted.filter((object) => !isRole(object))])
    await Promise.all(batch.map((object) => reconcileOne(api, object)));
}

async function reconcileOne(api: Api, wanted: RbacObject): Promise<void> {
  const plural = `${(wanted.kind ?? "").toLowerCase()}s`;
  const cache = api.world.cacheOf(GROUP, plural);
  if (cache === undefined) return;
  const { namespace, name } = wanted.metadata;
  const request = ownWrite(cache, namespace);
  const stored = cache.get(objectKey(namespace, name));
  if (stored === undefined) return await create(api, request, wanted);
  if (textAt(objectAt(stored.draft()["metadata"], "annotations"), AUTOUPDATE) === "false") return;
  if (isOfOtherRole(stored, wanted)) {
    // A binding's role cannot be changed: it is made anew.
    await api.writer.remove(request, stored);
    return await create(api, request, wanted);
  }
  if (isComplete(stored, wanted)) return;
  await api.writer.update(request, name, (live) => ({ draft: completed(live.draft(), wanted) }));
}

async function create(api: Api, request: WriteRequest, wanted: RbacObject): Promise<void> {
  try {
    await api.writer.create(request, ownDraft(wanted));
  } catch (error) {
    if (!isFault(error) || error.code !== "AlreadyExists") throw error;
  }
}

function isOfOtherRole(stored: Stored, wanted: RbacObject): boolean {
  return "roleRef" in wanted && !sameJson(stored.draft()["roleRef"], ownDraft(wanted)["roleRef"]);
}

function isComplete(stored: Stored, wanted: RbacObject): boolean {
  return sameJson(completed(stored.draft(), wanted), stored.draft());
}

/** What stands, with everything that it should have and has not. */
export function completed(draft: JsonObject, wanted: RbacObject): JsonObject {
  const should = ownDraft(wanted);
  const metadata = { ...objectAt(draft, "metadata") };
  for (const field of ["labels", "annotations"])
    metadata[field] = { ...objectAt(should["metadata"], field), ...objectAt(metadata, field) };
  const out: JsonObject = { ...draft, metadata };
  if ("roleRef" in wanted) {
    const missing = (wanted.subjects ?? []).filter((one) => !has(listAt(draft, "subjects"), one));
    if (missing.length > 0)
      out["subjects"] = [...(listAt(draft, "subjects") ?? []), ...missing.map(ownDraft)];
    return out;
  }
  if (should["aggregationRule"] !== undefined) {
    // The controller that gathers their rules sees to them.
    if (objectAt(draft, "aggregationRule") === undefined) out["aggregationRule"] = should["aggregationRule"];
    return out;
  }
  const missing = uncoveredRules(wanted.rules ?? [], rulesIn(draft));
  const lacking = (wanted.rules ?? []).filter((rule) => uncoveredRules([rule], rulesIn(draft)).length > 0);
  if (missing.length > 0) out["rules"] = [...(listAt(draft, "rules") ?? []), ...lacking.map(ownDraft)];
  return out;
}

/** The rules of a stored role. */
function rulesIn(draft: JsonObject): readonly PolicyRule[] {
  return (listAt(draft, "rules") ?? []) as unknown as readonly PolicyRule[];
}

function has(subjects: readonly Json[] | undefined, wanted: Subject): boolean {
  const key = (subject: unknown) =>
    ["apiGroup", "kind", "name", "namespace"].map((field) => textAt(subject, field) ?? "").join(" ");
  return (subjects ?? []).some((subject) => key(subject) === key(wanted));
}
