import type { KubeObject } from "#kube/object";
import type { AdmissionRequest } from "../../admit.ts";
import type { JsonObject } from "../../json.ts";
import { scaleOf } from "../../sub/scale-object.ts";

type Faced = Pick<AdmissionRequest, "spec" | "subresource">;

export function isScale({ subresource }: Faced): boolean {
  return subresource === "scale";
}

/** An object as those outside see it who judge its writing: of `/scale` they see the Scale. */
export function faceOf(request: Faced, object: JsonObject): JsonObject {
  return isScale(request) ? scaleOf(request.spec, object as unknown as KubeObject) : object;
}
