import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
} from "#kube/generated/types";
import { amountsOf, containerAmounts, podAmounts } from "#kube/pod-amounts";
import { LIMIT_RANGES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { forbidden } from "../../status.ts";
import { boundsProblems, requestProblems } from "./bounds.ts";
import { giveDefaults } from "./defaults.ts";

/** Gives pods what their namespace's LimitRanges have as defaults, and holds pods and claims to the bounds. */
export const limitRanger: Admission = {
  name: "LimitRanger",
  mutate: (request, context) => {
    if (!isNew(request, "pods")) return;
    giveDefaults(request.draft, rangesOf(request, context));
  },
  validate: (request, context) => {
    const check = checkFor(request);
    if (check === undefined) return;
    const found = rangesOf(request, context).flatMap(({ spec }) => (spec?.limits ?? []).flatMap(check));
    if (found.length === 0) return;
    const problems = [...new Set(found)];
    const { draft, name, spec } = request;
    const why = problems.length === 1 ? (problems[0] ?? "") : `[${problems.join(", ")}]`;
    throw forbidden(spec.resource, name === "" ? (draft.metadata.generateName ?? "") : name, why);
  },
};

function rangesOf({ namespace }: AdmissionRequest, context: WriteContext): readonly LimitRange[] {
  return namespace === undefined ? [] : context.list(LIMIT_RANGES, namespace);
}

function isNew({ operation, spec, subresource }: AdmissionRequest, plural: string): boolean {
  return (
    operation === "create" &&
    spec.resource.group === "" &&
    spec.resource.plural === plural &&
    subresource === undefined
  );
}

/** What to ask of each item; a pod that is there already is asked again only when it is resized. */
function checkFor(request: AdmissionRequest): ((item: LimitRangeItem) => readonly string[]) | undefined {
  const { operation, spec, subresource, draft } = request;
  const isResized = operation === "update" && spec.resource.kind === "Pod" && subresource === "resize";
  if (isNew(request, "pods") || isResized) return (item) => podProblems(draft, item);
  return isNew(request, "persistentvolumeclaims") ? (item) => claimProblems(draft, item) : undefined;
}

function podProblems(pod: Pod, item: LimitRangeItem): readonly string[] {
  if (item.type === "Pod")
    return boundsProblems(item, { requests: podAmounts(pod, "requests"), limits: podAmounts(pod, "limits") });
  if (item.type !== "Container") return [];
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].flatMap(
    (container: Container) =>
      boundsProblems(item, {
        requests: containerAmounts(container, "requests"),
        limits: containerAmounts(container, "limits"),
      }),
  );
}

function claimProblems({ spec }: PersistentVolumeClaim, item: LimitRangeItem): readonly string[] {
  return item.type === "PersistentVolumeClaim"
    ? requestProblems(item, amountsOf(spec?.resources?.requests))
    : [];
}
