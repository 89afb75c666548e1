import type { ObjectMeta, Pod, PodSpec } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { duplicate, forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { validateLabels } from "../field/labels.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { between } from "../field/numbers.ts";
import { validateAmounts } from "../field/resources.ts";
import type { FieldError } from "../kind.ts";
import { validateContainers } from "./container-validation.ts";
import { validateDns } from "./dns-validation.ts";
import { validateEphemeralContainers } from "./ephemeral-validation.ts";
import { validateProfileAnnotations } from "./profile-annotations.ts";
import { validateResources } from "./resource-validation.ts";
import { validateAffinity, validateGates, validateSpread } from "./scheduling-validation.ts";
import { validateHostUsers, validatePodSecurity } from "./security-validation.ts";
import { validateTolerations } from "./toleration-validation.ts";
import { validateVolumes } from "./volume-validation.ts";
import { validateHostProcess, validateOs } from "./windows-validation.ts";

const RESTART_POLICIES = ["Always", "OnFailure", "Never"];
const PREEMPTION_POLICIES = ["PreemptLowerPriority", "Never"];
const MAX_SECONDS = 2 ** 31 - 1;

export function validatePod({ metadata, spec }: Pod): readonly FieldError[] {
  return [
    ...validateProfileAnnotations("metadata.annotations", metadata.annotations, spec),
    ...validatePodSpec("spec", spec, metadata),
    ...validateTokens("spec", spec),
  ];
}

/** What a new pod may not have yet. */
export function validateNewPod({ spec }: Pod): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (spec?.ephemeralContainers?.length)
    errors.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (spec?.nodeName && spec.schedulingGates?.length)
    errors.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  return errors;
}

/** What is wrong with the spec of a pod (which has metadata) or a template. @see ValidatePodSpec in kubernetes pkg/apis/core/validation */
export function validatePodSpec(
  path: string,
  spec: PodSpec | undefined,
  metadata?: ObjectMeta,
): readonly FieldError[] {
  if (spec === undefined || spec === null) return [required(`${path}.containers`)];
  const { errors, volumes } = validateVolumes(`${path}.volumes`, spec.volumes, metadata);
  const claims = new Set((spec.resourceClaims ?? []).map(({ name }) => name));
  const around = { volumes, claims, spec, isPod: metadata !== undefined };
  return [
    ...errors,
    ...validateResourceClaims(`${path}.resourceClaims`, spec),
    ...validateContainers(path, around),
    ...validateEphemeralContainers(`${path}.ephemeralContainers`, around),
    ...(spec.resources ? validateResources(`${path}.resources`, spec.resources, "pod") : []),
    ...oneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES),
    ...validateDns(path, spec),
    ...validateLabels(`${path}.nodeSelector`, spec.nodeSelector),
    ...validatePodSecurity(`${path}.securityContext`, spec),
    ...validateAffinity(`${path}.affinity`, spec.affinity),
    ...validateGates(path, spec),
    ...validateSpread(`${path}.topologySpreadConstraints`, spec.topologySpreadConstraints),
    ...validateHostProcess(path, spec),
    ...validateHostUsers(path, spec),
    ...validateNames(path, spec),
    ...between(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, MAX_SECONDS),
    ...validateTolerations(`${path}.tolerations`, spec.tolerations),
    ...validateAliases(`${path}.hostAliases`, spec.hostAliases),
    ...(spec.preemptionPolicy === undefined
      ? []
      : oneOf(`${path}.preemptionPolicy`, spec.preemptionPolicy, PREEMPTION_POLICIES)),
    ...validateAmounts(`${path}.overhead.limits`, spec.overhead, "container"),
    ...validateOs(path, spec),
  ];
}

function oneOf(path: string, value: string | undefined, known: readonly string[]): readonly FieldError[] {
  if (!value) return [required(path)];
  return known.includes(value) ? [] : [notSupported(path, value, known)];
}

function validateNames(path: string, spec: PodSpec): readonly FieldError[] {
  const check = (field: keyof PodSpec & string, rule: (name: string) => readonly string[]) => {
    const value = spec[field];
    return typeof value === "string" && value !== "" ? problems(`${path}.${field}`, value, rule(value)) : [];
  };
  return [
    ...check("serviceAccountName", subdomainProblems),
    ...check("nodeName", subdomainProblems),
    ...check("hostname", labelProblems),
    ...check("subdomain", labelProblems),
    ...check("hostnameOverride", subdomainProblems),
    ...check("priorityClassName", subdomainProblems),
    ...check("runtimeClassName", subdomainProblems),
  ];
}

function validateAliases(path: string, aliases: PodSpec["hostAliases"]): readonly FieldError[] {
  return (aliases ?? []).flatMap(({ ip, hostnames = [] }, i) => [
    ...validIp(`${path}[${i}].ip`, ip),
    ...hostnames.flatMap((name, j) =>
      problems(`${path}[${i}].hostnames[${j}]`, name, subdomainProblems(name)),
    ),
  ]);
}

function validateResourceClaims(path: string, { resourceClaims = [] }: PodSpec): readonly FieldError[] {
  const names = new Set<string>();
  return resourceClaims.flatMap((claim, i) => {
    const at = `${path}[${i}]`;
    const { name, resourceClaimName: own, resourceClaimTemplateName: template } = claim;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    else if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else errors.push(...problems(`${at}.name`, name, labelProblems(name)));
    names.add(name);
    if (own !== undefined && template !== undefined)
      errors.push(
        invalid(
          at,
          goClaim(claim),
          "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
        ),
      );
    if (own === undefined && template === undefined)
      errors.push(
        invalid(at, goClaim(claim), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
      );
    if (own !== undefined) errors.push(...problems(`${at}.resourceClaimName`, own, subdomainProblems(own)));
    if (template !== undefined)
      errors.push(...problems(`${at}.resourceClaimTemplateName`, template, subdomainProblems(template)));
    return errors;
  });
}

/** A claim as complaints about it as a whole show it. */
function goClaim(claim: NonNullable<PodSpec["resourceClaims"]>[number]): object {
  return {
    Name: claim.name,
    ResourceClaimName: claim.resourceClaimName ?? null,
    ResourceClaimTemplateName: claim.resourceClaimTemplateName ?? null,
  };
}

/** A token proves who the pod is: there is none for a pod that is nobody. */
function validateTokens(path: string, spec: PodSpec | undefined): readonly FieldError[] {
  if (spec?.serviceAccountName) return [];
  return (spec?.volumes ?? []).flatMap(({ projected }, i) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }, j) =>
      serviceAccountToken === undefined
        ? []
        : [
            forbidden(
              `${path}.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
              "must not be specified when serviceAccountName is not set",
            ),
          ],
    ),
  );
}
