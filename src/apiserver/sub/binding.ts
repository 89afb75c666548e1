import type { Pod } from "#kube/generated/types";
import type { Stored } from "../cache/stored.ts";
import { isObject, type Json, type JsonObject, listAt, objectAt, own, textAt } from "../json.ts";
import { badRequest, conflict, unknownFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { checkPlace, checkPreconditions, formatTime, metadataOf } from "../verbs/metadata.ts";
import { readObject, writeRequest } from "../verbs/write.ts";

const BINDING = {
  definition: "io.k8s.api.core.v1.Binding",
  resource: { group: "", version: "v1", kind: "Binding", plural: "bindings", namespaced: true },
};

/** What refusals are about. */
const BOUND = { group: "", plural: "pods/binding" };

/** POST `pods/NAME/binding`: gives a pod its node, once. */
export async function bind(call: Call): Promise<void> {
  const binding = await readObject(call, BINDING);
  if ((textAt(metadataOf(binding), "name") ?? "") !== call.info.name)
    throw badRequest("name in URL does not match name in Binding object");
  await bindTo(call, binding);
}

/** POST `bindings`: the same by an older path, where the binding alone names the pod. */
export async function bindNamed(call: Call): Promise<void> {
  await bindTo(call, await readObject(call, BINDING));
}

async function bindTo(call: Call, binding: JsonObject): Promise<void> {
  const { api, cache, info, reply } = call;
  checkPlace(binding, { namespace: info.namespace, name: undefined });
  const name = textAt(metadataOf(binding), "name") ?? "";
  const target = objectAt(binding, "target");
  const kind = textAt(target, "kind") ?? "";
  const nodeName = textAt(target, "name") ?? "";
  if (kind !== "" && kind !== "Node")
    throw unknownFault(
      `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
    );
  if (nodeName === "") throw unknownFault("target.name: Required value");
  const request = { ...writeRequest(call), subresource: "binding" };
  await api.writer.admitWhole(request, binding, name);
  await api.writer.update({ ...request, isJudged: true }, name, (live) => {
    checkPreconditions(binding, live, cache.spec);
    checkBindable(live.object, name);
    return { draft: bound(live, binding, { nodeName, now: api.clock.now() }), fieldsAreSet: true };
  });
  reply.json(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}

function checkBindable(pod: Pod, name: string): void {
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(BOUND, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const node = pod.spec?.nodeName ?? "";
  if (node !== "")
    throw conflict(BOUND, name, `pod ${name} is already assigned to node ${JSON.stringify(node)}`);
  if ((pod.spec?.schedulingGates ?? []).length > 0)
    throw conflict(BOUND, name, `pod ${name} has non-empty .spec.schedulingGates`);
}

function bound(
  live: Stored,
  binding: JsonObject,
  { nodeName, now }: { nodeName: string; now: number },
): JsonObject {
  const draft = live.draft();
  draft["spec"] = { ...objectAt(draft, "spec"), nodeName };
  const given = metadataOf(binding);
  const metadata = metadataOf(draft);
  for (const field of ["annotations", "labels"]) {
    const extra = objectAt(given, field);
    if (extra !== undefined) metadata[field] = { ...objectAt(metadata, field), ...extra };
  }
  draft["status"] = scheduled(objectAt(draft, "status") ?? {}, now);
  return draft;
}

function scheduled(status: JsonObject, now: number): JsonObject {
  const others = (listAt(status, "conditions") ?? []).filter(
    (each: Json) => !isObject(each) || own(each, "type") !== "PodScheduled",
  );
  const condition: JsonObject = { type: "PodScheduled", status: "True", lastTransitionTime: formatTime(now) };
  // The node it was nominated to is of no interest once it has one.
  const { nominatedNodeName: _, ...rest } = status;
  return { ...rest, conditions: [...others, condition] };
}
