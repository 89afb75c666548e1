import type { PodTemplateSpec } from "#kube/generated/types";
import { forbidden } from "../field/error.ts";
import { validateLabels } from "../field/labels.ts";
import { validateAnnotations } from "../field/meta.ts";
import type { FieldError } from "../kind.ts";
import { validateProfileAnnotations } from "./profile-annotations.ts";
import { validatePodSpec } from "./validation.ts";

/** What is wrong with the template of pods. @see ValidatePodTemplateSpec in kubernetes pkg/apis/core/validation */
export function validatePodTemplate(
  path: string,
  template: PodTemplateSpec | undefined,
): readonly FieldError[] {
  const errors = [
    ...validateLabels(`${path}.labels`, template?.metadata?.labels),
    ...validateAnnotations(`${path}.annotations`, template?.metadata?.annotations),
    ...validateProfileAnnotations(`${path}.annotations`, template?.metadata?.annotations, template?.spec),
    ...validatePodSpec(`${path}.spec`, template?.spec),
  ];
  if (template?.spec?.ephemeralContainers?.length)
    errors.push(
      forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"),
    );
  return errors;
}
