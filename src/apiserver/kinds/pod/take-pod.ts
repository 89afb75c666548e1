import type { Pod } from "#kube/generated/types";
import { conform, MisfitFault } from "../../codec/conform.ts";
import { isObject } from "../../json.ts";
import { fieldErrorBody } from "../../status.ts";
import { validateMeta } from "../field/meta.ts";
import { defaultPod } from "./defaults.ts";
import { pods } from "./pod.ts";
import { validateNewPod, validatePod } from "./validation.ts";

/** A pod that comes from elsewhere than a request, checked and filled in as one that does; `place` runs between the two. Unknown fields are
 *  left out. Where there are problems the pod is of no use. */
export function takePod(
  value: unknown,
  place: (pod: Pod) => Pod,
): { readonly pod: Pod; readonly problems: readonly string[] } | { readonly problems: readonly string[] } {
  if (!isObject(value) || value["apiVersion"] !== "v1" || value["kind"] !== "Pod")
    return { problems: ["it is not a Pod of apiVersion v1"] };
  try {
    const { value: draft } = conform(value, pods.definition);
    defaultPod(draft);
    const pod = place(draft as unknown as Pod);
    const errors = [...validateMeta(pods, pod), ...validatePod(pod), ...validateNewPod(pod)];
    return { pod, problems: errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`) };
  } catch (error) {
    if (error instanceof MisfitFault) return { problems: [error.message] };
    throw error;
  }
}
