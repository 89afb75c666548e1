import type { Pod } from "#kube/generated/types";
import type { FieldError } from "../kind.ts";

export function validatePodUpdate(_pod: Pod, _stored: Pod): readonly FieldError[] {
  return [];
}
