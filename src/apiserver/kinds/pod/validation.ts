import type { Pod, PodSpec } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { invalid, notSupported, required } from "../field/error.ts";
import { validateLabels } from "../field/labels.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { nonNegative } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import { validateContainers } from "./container-validation.ts";
import { validateAffinity, validateTolerations } from "./scheduling-validation.ts";
import { validateVolumes } from "./volume-validation.ts";

const RESTART_POLICIES = ["Always", "Never", "OnFailure"];
const DNS_POLICIES = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const MAX_SECONDS = 2 ** 31 - 1;
const MAX_NAMESERVERS = 3;

export function validatePod({ spec }: Pod): readonly FieldError[] {
  return validatePodSpec("spec", spec);
}

/** What is wrong with the spec of a pod or a template. @see ValidatePodSpec in kubernetes pkg/apis/core/validation */
export function validatePodSpec(path: string, spec: PodSpec | undefined): readonly FieldError[] {
  if (spec === undefined || spec === null) return [required(`${path}.containers`)];
  const { errors, names } = validateVolumes(`${path}.volumes`, spec.volumes);
  return [
    ...errors,
    ...validateContainers(path, spec, names),
    ...validatePolicies(path, spec),
    ...validateDns(path, spec),
    ...validateNames(path, spec),
    ...nonNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...validateDeadline(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds),
    ...validateLabels(`${path}.nodeSelector`, spec.nodeSelector),
    ...(spec.hostAliases ?? []).flatMap(({ ip }, i) => validIp(`${path}.hostAliases[${i}].ip`, ip)),
    ...validateTolerations(`${path}.tolerations`, spec.tolerations),
    ...validateAffinity(`${path}.affinity`, spec.affinity),
  ];
}

function validatePolicies(path: string, { restartPolicy }: PodSpec): readonly FieldError[] {
  if (!restartPolicy) return [required(`${path}.restartPolicy`)];
  return RESTART_POLICIES.includes(restartPolicy)
    ? []
    : [notSupported(`${path}.restartPolicy`, restartPolicy, RESTART_POLICIES)];
}

function validateDns(path: string, { dnsPolicy, dnsConfig }: PodSpec): readonly FieldError[] {
  if (!dnsPolicy) return [required(`${path}.dnsPolicy`)];
  if (!DNS_POLICIES.includes(dnsPolicy)) return [notSupported(`${path}.dnsPolicy`, dnsPolicy, DNS_POLICIES)];
  const at = `${path}.dnsConfig.nameservers`;
  const servers = dnsConfig?.nameservers ?? [];
  if (dnsPolicy === "None" && servers.length === 0)
    return [
      required(
        dnsConfig === undefined ? `${path}.dnsConfig` : at,
        "must provide at least one DNS nameserver when `dnsPolicy` is None",
      ),
    ];
  const many =
    servers.length > MAX_NAMESERVERS
      ? [invalid(at, servers, `must not have more than ${MAX_NAMESERVERS} nameservers`)]
      : [];
  return [...many, ...servers.flatMap((ip, i) => validIp(`${at}[${i}]`, ip))];
}

function validateNames(path: string, spec: PodSpec): readonly FieldError[] {
  const check = (field: string, value: string | undefined, rule: (name: string) => readonly string[]) =>
    value ? rule(value).map((why) => invalid(`${path}.${field}`, value, why)) : [];
  return [
    ...check("serviceAccountName", spec.serviceAccountName, subdomainProblems),
    ...check("nodeName", spec.nodeName, subdomainProblems),
    ...check("hostname", spec.hostname, labelProblems),
    ...check("subdomain", spec.subdomain, labelProblems),
    ...check("priorityClassName", spec.priorityClassName, subdomainProblems),
    ...check("runtimeClassName", spec.runtimeClassName, subdomainProblems),
  ];
}

function validateDeadline(path: string, seconds: number | undefined): readonly FieldError[] {
  if (seconds === undefined || (seconds >= 1 && seconds <= MAX_SECONDS)) return [];
  return [invalid(path, seconds, `must be between 1 and ${MAX_SECONDS}, inclusive`)];
}
