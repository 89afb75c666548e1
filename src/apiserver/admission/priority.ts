import type { PriorityClass } from "#kube/generated/types";
import { PRIORITY_CLASSES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import type { WriteContext } from "../kinds/kind.ts";
import { forbidden } from "../status.ts";
import { isNewPod } from "./service-account.ts";

/** The two classes that exist before anyone made them. */
export const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

/** Writes the number of a pod's priority class into the pod; later writes may not lose it. Keeps the default among the classes the only one. */
export const priority: Admission = {
  name: "Priority",
  mutate: (request, context) => {
    if (isNewPod(request)) resolve(request, context);
    else if (request.operation === "update" && request.spec.resource.plural === "pods") keep(request);
  },
  validate: (request, context) => {
    const { group, kind } = request.spec.resource;
    if (group === "scheduling.k8s.io" && kind === "PriorityClass") refuseSecondDefault(request, context);
  },
};

function refuseSecondDefault(request: AdmissionRequest, context: WriteContext): void {
  const { operation, draft, spec, name } = request;
  if (draft.globalDefault !== true || (operation !== "create" && operation !== "update")) return;
  const chosen = globalDefault(context.list(PRIORITY_CLASSES))?.metadata.name;
  if (chosen === undefined || (operation === "update" && chosen === draft.metadata.name)) return;
  const why = `PriorityClass ${chosen} is already marked as default. Only one default can exist`;
  throw forbidden(spec.resource, name, why);
}

function resolve(request: AdmissionRequest, context: WriteContext): void {
  const { spec } = request.draft;
  if (!spec) return;
  const { name, value, preemptionPolicy } = classOf(request, context);
  if (name !== undefined) spec.priorityClassName = name;
  if (spec.priority !== undefined && spec.priority !== value)
    throw forbidden(
      request.spec.resource,
      request.name,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  spec.priority = value;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy)
    throw forbidden(
      request.spec.resource,
      request.name,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
    );
  spec.preemptionPolicy = preemptionPolicy;
}

interface Resolved {
  readonly name?: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

function classOf(request: AdmissionRequest, context: WriteContext): Resolved {
  const name: string = request.draft.spec.priorityClassName ?? "";
  if (name === "") {
    const chosen = globalDefault(context.list(PRIORITY_CLASSES));
    return chosen === undefined ? ofSystem(0) : ofClass(chosen);
  }
  const found = context.read(PRIORITY_CLASSES, undefined, name);
  if (found !== undefined) return ofClass(found);
  const value = SYSTEM_PRIORITIES[name];
  if (value !== undefined) return ofSystem(value);
  throw forbidden(request.spec.resource, request.name, `no PriorityClass with name ${name} was found`);
}

/** Of several global defaults the lowest wins. */
function globalDefault(classes: readonly PriorityClass[]): PriorityClass | undefined {
  return classes
    .filter((one) => one.globalDefault === true)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}

function ofClass({ metadata, value, preemptionPolicy }: PriorityClass): Resolved {
  return {
    name: metadata.name,
    value: value ?? 0,
    preemptionPolicy: preemptionPolicy ?? "PreemptLowerPriority",
  };
}

function ofSystem(value: number): Resolved {
  return { value, preemptionPolicy: "PreemptLowerPriority" };
}

function keep({ draft, stored }: AdmissionRequest): void {
  const before = (stored as { spec?: { priority?: number; preemptionPolicy?: string } } | undefined)?.spec;
  if (!draft.spec || before === undefined) return;
  draft.spec.priority ??= before.priority;
  draft.spec.preemptionPolicy ??= before.preemptionPolicy;
}
