import type { Container, Pod, PodSpec } from "#kube/generated/types";
import { forbidden, invalid } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { qosClassOf } from "./qos.ts";

const MIRROR = "kubernetes.io/config.mirror";

/** Of a running pod, cpu and memory of its containers may change; nothing asked for may be taken away. @see ValidatePodResize */
export function validatePodResize(pod: Pod, stored: Pod): readonly FieldError[] {
  const { spec } = pod;
  const before = stored.spec;
  if (spec === undefined || before === undefined) return [];
  const refusal = refusalOf(spec, stored);
  if (refusal !== undefined) return [forbidden("", refusal)];
  const errors: FieldError[] = [];
  if ((stored.status?.qosClass ?? qosClassOf(before)) !== qosClassOf(spec))
    errors.push(
      invalid("spec", pod.status?.qosClass ?? "", "Pod QOS Class may not change as a result of resizing"),
    );
  for (const status of stored.status?.containerStatuses ?? [])
    if (status.state?.running !== undefined && status.resources === undefined) {
      errors.push(forbidden("spec", "Pod running on node without support for resize"));
      break;
    }
  errors.push(...validateChanges(spec, before));
  if (errors.length > 0) return errors;
  return sameJson(withoutCompute(spec, before), JSON.parse(JSON.stringify(before)))
    ? []
    : [forbidden("spec", "only cpu and memory resources are mutable")];
}

function refusalOf(spec: PodSpec, stored: Pod): string | undefined {
  if (hasOwnAmounts(spec) || hasOwnAmounts(stored.spec))
    return "pods with pod-level resources cannot be resized";
  if (stored.metadata.annotations?.[MIRROR] !== undefined) return "static pods cannot be resized";
  return stored.spec?.os?.name === "windows" ? "windows pods cannot be resized" : undefined;
}

function hasOwnAmounts(spec: PodSpec | undefined): boolean {
  const { requests = {}, limits = {} } = spec?.resources ?? {};
  return Object.keys(requests).length + Object.keys(limits).length > 0;
}

function validateChanges(spec: PodSpec, before: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["initContainers", "containers"] as const) {
    const old = before[field] ?? [];
    const now = spec[field] ?? [];
    if (now.length !== old.length)
      return [forbidden(`spec.${field}`, "pod updates may not add or remove containers")];
    now.forEach((container, i) => {
      const was = old[i];
      if (was === undefined) return;
      const isSidecar = field === "initContainers" && was.restartPolicy === "Always";
      if (field === "containers" || isSidecar) {
        errors.push(...validateContainer(`spec.${field}[${i}].resources`, container, was));
        if (!sameJson(computeKept(container, was), plain(was)))
          errors.push(
            forbidden(
              "spec",
              isSidecar
                ? "only cpu and memory resources for sidecar containers are mutable"
                : "only cpu and memory resources are mutable",
            ),
          );
      } else if (!sameJson(plain(container), plain(was)))
        errors.push(forbidden("spec", "resources for non-sidecar init containers are immutable"));
    });
  }
  return errors;
}

function validateContainer(path: string, now: Container, was: Container): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["requests", "limits"] as const) {
    const isLost = Object.keys(was.resources?.[field] ?? {}).some(
      (name) => now.resources?.[field]?.[name] === undefined,
    );
    if (isLost) errors.push(forbidden(`${path}.${field}`, `resource ${field} cannot be removed`));
  }
  return errors;
}

function withoutCompute(spec: PodSpec, before: PodSpec): unknown {
  const kept = (field: "containers" | "initContainers") =>
    (spec[field] ?? []).map((container, i) => {
      const was = before[field]?.[i];
      return was === undefined ? container : computeKept(container, was);
    });
  const { initContainers, ...rest } = spec;
  return plain({
    ...rest,
    containers: kept("containers"),
    ...(initContainers === undefined ? {} : { initContainers: kept("initContainers") }),
  });
}

/** The container with the cpu and memory that it had. */
function computeKept(container: Container, was: Container): unknown {
  const resources: Record<string, unknown> = { ...container.resources };
  for (const field of ["requests", "limits"] as const) {
    const old = was.resources?.[field];
    if (old === undefined) {
      delete resources[field];
      continue;
    }
    const { cpu: _cpu, memory: _memory, ...others } = container.resources?.[field] ?? {};
    const compute = Object.entries(old).filter(([name]) => name === "cpu" || name === "memory");
    resources[field] = { ...others, ...Object.fromEntries(compute) };
  }
  return plain({ ...container, resources });
}

/** As JSON has it: an absent field and an undefined one are the same. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
