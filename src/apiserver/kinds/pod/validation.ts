import type { Pod, PodSpec } from "#kube/generated/types";
import type { FieldError } from "../kind.ts";

export function validatePod(_pod: Pod): readonly FieldError[] {
  return [];
}

export function validatePodSpec(_path: string, _spec: PodSpec | undefined): readonly FieldError[] {
  return [];
}
