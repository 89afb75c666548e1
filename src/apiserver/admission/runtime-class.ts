import type { RuntimeClass } from "#kube/generated/types";
import { RUNTIME_CLASSES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { sameJson } from "../json.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { forbidden, type StatusFault } from "../status.ts";
import { isNewPod } from "./service-account.ts";

/** A pod that names a runtime class takes over what it costs and where it runs; a class that is not there is refused. */
export const runtimeClass: Admission = {
  name: "RuntimeClass",
  mutate: (request, context) => {
    if (!isNewPod(request) || !request.draft.spec) return;
    const found = classOf(request, context);
    setOverhead(request, found);
    if (found !== undefined) setScheduling(request, found);
  },
};

function classOf(request: AdmissionRequest, context: WriteContext): RuntimeClass | undefined {
  const name: string | undefined = request.draft.spec.runtimeClassName;
  if (!name) return undefined;
  const found = context.read(RUNTIME_CLASSES, undefined, name);
  if (found === undefined)
    throw refuse(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  return found;
}

function setOverhead(request: AdmissionRequest, found: RuntimeClass | undefined): void {
  const { spec } = request.draft;
  const given = spec.overhead ?? {};
  const fixed = found?.overhead?.podFixed;
  const isGiven = Object.keys(given).length > 0;
  if (fixed === undefined) {
    if (isGiven)
      throw refuse(
        request,
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
      );
    return;
  }
  if (isGiven && !sameJson(given, { ...fixed }))
    throw refuse(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  spec.overhead = { ...fixed };
}

function setScheduling(request: AdmissionRequest, { scheduling }: RuntimeClass): void {
  const { spec } = request.draft;
  for (const [key, value] of Object.entries(scheduling?.nodeSelector ?? {})) {
    const present: string | undefined = spec.nodeSelector?.[key];
    if (present !== undefined && present !== value)
      throw refuse(
        request,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${present}`,
      );
    spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
  }
  for (const toleration of scheduling?.tolerations ?? []) {
    const isThere = (spec.tolerations ?? []).some((one: Draft) => sameJson(one, { ...toleration }));
    if (!isThere) spec.tolerations = [...(spec.tolerations ?? []), { ...toleration }];
  }
}

function refuse(request: AdmissionRequest, why: string): StatusFault {
  return forbidden(request.spec.resource, request.name, why);
}
