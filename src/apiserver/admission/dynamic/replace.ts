import type { AdmissionRequest } from "../../admit.ts";
import { isObject, type Json, type JsonObject, numberAt, objectAt, setOwn } from "../../json.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { badRequest, internalError } from "../../status.ts";
import { setScale } from "../../sub/scale-object.ts";
import { fitOr } from "../../verbs/write.ts";
import { isScale } from "./face.ts";

/** What a new object is given by nobody but the server. */
const STAMPED = ["uid", "creationTimestamp"];

/** A new object as those see it who may change it: not stamped yet. */
export function unstamped(object: JsonObject): JsonObject {
  const { uid: _uid, creationTimestamp: _at, ...metadata } = objectAt(object, "metadata") ?? {};
  return { ...object, metadata };
}

/** Puts another object in a draft's place: fitted to its kind and with its defaults, as if it had come so.
 *  @throws {StatusFault} InternalError when it is no object of the kind any more */
export function replaceDraft(
  request: Pick<AdmissionRequest, "draft" | "spec" | "subresource" | "operation">,
  next: Json,
  context: WriteContext,
): void {
  if (!isObject(next)) throw internalError(new Error("the mutated object is no object"));
  const { draft, spec, operation } = request;
  if (isScale(request)) {
    setScale(spec, draft, numberAt(objectAt(next, "spec"), "replicas") ?? 0);
    return;
  }
  if (next["kind"] !== draft.kind || next["apiVersion"] !== draft.apiVersion)
    throw internalError(new Error(`the mutated object is no ${draft.kind} any more`));
  const { value } = fitOr(next, spec, (why) => internalError(badRequest(why)));
  const target = draft as JsonObject;
  const before = objectAt(target, "metadata");
  const metadata = objectAt(value, "metadata");
  for (const field of STAMPED) {
    const stamp = before?.[field];
    if (operation === "create" && metadata !== undefined && stamp !== undefined) metadata[field] = stamp;
  }
  for (const field of Object.keys(target)) delete target[field];
  for (const [field, inner] of Object.entries(value)) setOwn(target, field, inner);
  spec.defaults?.(target, context);
}
