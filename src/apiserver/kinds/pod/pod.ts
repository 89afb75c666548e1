import type { Pod } from "#kube/generated/types";
import { PODS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { FieldError, KindSpec, Part } from "../kind.ts";
import { defaultPod } from "./defaults.ts";
import { validateEphemeralUpdate } from "./ephemeral-validation.ts";
import { podPrinter } from "./print.ts";
import { takeAppArmor } from "./profile-annotations.ts";
import { qosClassOf } from "./qos.ts";
import { validatePodResize } from "./resize-validation.ts";
import { validatePodStatus } from "./status-validation.ts";
import { validatePodUpdate } from "./update-validation.ts";
import { validateNewPod, validatePod } from "./validation.ts";
import { podWarnings } from "./warnings.ts";

/** What a pod with scheduling gates says of itself from the start. */
const GATED = {
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

export const pods: KindSpec<Pod> = kindSpec<Pod>({
  resource: PODS,
  definition: "io.k8s.api.core.v1.Pod",
  shortNames: ["po"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  deleteReturnsObject: true,
  defaults: defaultPod,
  prepareCreate: (draft, { warn }) => {
    takeAppArmor(draft, warn);
    draft.status = { phase: "Pending", qosClass: qosClassOf(draft.spec) };
    if ((draft.spec?.schedulingGates ?? []).length > 0)
      draft.status.conditions = [{ ...GATED, lastTransitionTime: draft.metadata.creationTimestamp ?? null }];
  },
  validate: validatePod,
  validateCreate: validateNewPod,
  validateUpdate: validatePodUpdate,
  validatePart: validatePodPart,
  warnings: (pod, stored) => podWarnings("", pod, stored),
  selectableFields: ({ spec, status }) => ({
    "spec.nodeName": spec?.nodeName ?? "",
    "spec.host": spec?.nodeName ?? "",
    "spec.restartPolicy": spec?.restartPolicy ?? "",
    "spec.schedulerName": spec?.schedulerName ?? "",
    "spec.serviceAccountName": spec?.serviceAccountName ?? "",
    "spec.hostNetwork": String(spec?.hostNetwork ?? false),
    "status.phase": status?.phase ?? "",
    "status.podIP": status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
    "status.podIPs": status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
    "status.nominatedNodeName": status?.nominatedNodeName ?? "",
  }),
  ...podPrinter,
});

function validatePodPart(part: Part, pod: Pod, stored: Pod): readonly FieldError[] {
  switch (part) {
    case "status":
      return validatePodStatus(pod, stored);
    case "ephemeralcontainers":
      return [...validatePod(pod), ...validateEphemeralUpdate(pod, stored)];
    case "resize":
      return [...validatePod(pod), ...validatePodResize(pod, stored)];
    case "finalize":
    case "approval":
      return [];
    default:
      return part satisfies never;
  }
}
