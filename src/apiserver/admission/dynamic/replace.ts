import type { AdmissionRequest } from "../../admit.ts";
import { isObject, type Json, type JsonObject, numberAt, objectAt, setOwn } from "../../json.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { badRequest, internalError } from "../../status.ts";
import { setScale } from "../../sub/scale-object.ts";
import { fitOr } from "../../verbs/write.ts";
import { isScale } from "./face.ts";

/** Puts another object in a draft's place: fitted to its kind and with its defaults, as if it had come so.
 *  @throws {StatusFault} InternalError when it is no object of the kind any more */
export function replaceDraft(
  request: Pick<AdmissionRequest, "draft" | "spec" | "subresource">,
  next: Json,
  context: WriteContext,
): void {
  if (!isObject(next)) throw internalError(new Error("the mutated object is no object"));
  const { draft, spec } = request;
  if (isScale(request)) {
    setScale(spec, draft, numberAt(objectAt(next, "spec"), "replicas") ?? 0);
    return;
  }
  const { value } = fitOr(next, spec, (why) => internalError(badRequest(why)));
  const target = draft as JsonObject;
  for (const field of Object.keys(target)) delete target[field];
  for (const [field, inner] of Object.entries(value)) setOwn(target, field, inner);
  spec.defaults?.(target, context);
}
