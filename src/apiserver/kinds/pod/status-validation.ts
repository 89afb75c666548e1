import { familyOf } from "#addr/ip";
import type { ContainerStatus, Pod } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { duplicate, forbidden, IMMUTABLE, invalid, problems } from "../field/error.ts";
import { qualifiedNameProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const SYSTEM_CONDITIONS = ["PodScheduled", "Ready", "Initialized"];

/** What a pod's status may not say: no container that ended for good runs again, and no quality of service changes. @see ValidatePodStatusUpdate */
export function validatePodStatus({ spec, status }: Pod, stored: Pod): readonly FieldError[] {
  const before = stored.status;
  const errors: FieldError[] = [];
  for (const [i, { type, observedGeneration = 0 }] of (status?.conditions ?? []).entries()) {
    errors.push(...validGeneration(`status.conditions[${i}].observedGeneration`, observedGeneration));
    if (!SYSTEM_CONDITIONS.includes(type))
      errors.push(...problems(`status.conditions[${i}].Type`, type, qualifiedNameProblems(type)));
  }
  const nominated = status?.nominatedNodeName ?? "";
  if (nominated !== "" && nominated !== before?.nominatedNodeName) {
    const at = "status.nominatedNodeName";
    errors.push(...problems(at, nominated, subdomainProblems(nominated)));
    if (stored.spec?.nodeName)
      errors.push(forbidden(at, "may not be set on pods that are already bound to a node"));
  }
  errors.push(...validGeneration("status.observedGeneration", status?.observedGeneration ?? 0));
  if (before?.qosClass !== undefined && status?.qosClass !== before.qosClass)
    errors.push(invalid("status.qosClass", status?.qosClass, IMMUTABLE));
  const policy = stored.spec?.restartPolicy ?? "Always";
  const sidecars = new Set(
    (spec?.initContainers ?? []).filter((one) => one.restartPolicy === "Always").map(({ name }) => name),
  );
  return [
    ...errors,
    ...validateEnded("containerStatuses", stored, status?.containerStatuses, policy, new Set()),
    ...validateEnded("initContainerStatuses", stored, status?.initContainerStatuses, policy, sidecars),
    ...validateEnded(
      "ephemeralContainerStatuses",
      stored,
      status?.ephemeralContainerStatuses,
      "Never",
      new Set(),
    ),
    ...validateIps("podIPs", status?.podIPs),
    ...validateHostIps({ spec, status }),
  ];
}

function validGeneration(path: string, generation: number): readonly FieldError[] {
  return generation < 0 ? [invalid(path, generation, "must be a non-negative integer")] : [];
}

type StatusField = "containerStatuses" | "initContainerStatuses" | "ephemeralContainerStatuses";

function validateEnded(
  field: StatusField,
  stored: Pod,
  now: readonly ContainerStatus[] | undefined,
  policy: string,
  restarted: ReadonlySet<string>,
): readonly FieldError[] {
  if (policy === "Always") return [];
  return (stored.status?.[field] ?? []).flatMap(({ name, state }, i) => {
    const ended = state?.terminated;
    if (ended === undefined || restarted.has(name)) return [];
    if (ended.exitCode !== 0 && policy === "OnFailure") return [];
    // a container with a policy of its own is not the pod's to judge
    if (hasOwnPolicy(stored, name)) return [];
    const next = now?.find((status) => status.name === name);
    if (next === undefined || next.state?.terminated !== undefined) return [];
    return [forbidden(`status.${field}[${i}].state`, "may not be transitioned to non-terminated state")];
  });
}

function hasOwnPolicy({ spec }: Pod, name: string): boolean {
  const all = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return all.some((container) => container.name === name && container.restartPolicy !== undefined);
}

type Ips = readonly { readonly ip: string }[] | undefined;

/** Messages spell the field as Go does. */
const inMessage = ({ ip }: { readonly ip: string }) => ({ IP: ip });

/** At most one address of each family, none twice. */
function validateIps(field: string, ips: Ips): readonly FieldError[] {
  const path = `status.${field}`;
  const all = ips ?? [];
  const errors = all.flatMap(({ ip }, i) => validIp(`${path}[${i}]`, ip));
  if (errors.length > 0 || all.length < 2) return errors;
  const families = new Set(all.map(({ ip }) => familyOf(ip)));
  if (families.size !== all.length)
    errors.push(invalid(path, all.map(inMessage), "may specify no more than one IP for each IP family"));
  all.forEach(({ ip }, i) => {
    if (all.findIndex((other) => other.ip === ip) < i)
      errors.push(duplicate(`${path}[${i}]`, inMessage({ ip })));
  });
  return errors;
}

function validateHostIps({ status }: Pick<Pod, "spec" | "status">): readonly FieldError[] {
  const [first] = status?.hostIPs ?? [];
  if (first === undefined) return [];
  const errors = [...validateIps("hostIPs", status?.hostIPs)];
  if (first.ip !== (status?.hostIP ?? ""))
    errors.unshift(invalid("status.hostIPs[0].ip", first.ip, "must be equal to `hostIP`"));
  return errors;
}
