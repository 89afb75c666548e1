import type { Service, ServiceSpec } from "#kube/generated/types";
import { CIDR_RULE, readCidr, validEndpointIp } from "../field/addresses.ts";
import { forbidden, invalid, notSupported, required } from "../field/error.ts";
import { validateLabels } from "../field/labels.ts";
import { qualifiedNameProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";
import { isExternallyVisible, isHeadless, NO_IP, needsHealthCheckPort } from "./needs.ts";
import { validateServicePorts } from "./port-validation.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES = ["Cluster", "Local"];
const AFFINITIES = ["ClientIP", "None"];
const DISTRIBUTIONS = ["PreferClose", "PreferSameZone", "PreferSameNode"];
/** One day, in seconds. */
const MAX_AFFINITY_SECONDS = 86400;
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";

/** What is wrong with a Service, its addresses aside: those are looked at before all else. @see ValidateService in kubernetes pkg/apis/core/validation */
export function validateService({ spec }: Service): readonly FieldError[] {
  if (spec === undefined) return [required("spec")];
  return [
    ...validateServicePorts(spec),
    ...validateType(spec),
    ...validateAffinity(spec),
    ...validateLabels("spec.selector", spec.selector),
    ...(spec.externalIPs ?? []).flatMap((ip, i) => validEndpointIp(`spec.externalIPs[${i}]`, ip)),
    ...validateLoadBalancer(spec),
    ...validateTrafficPolicies(spec),
  ];
}

function validateType(spec: ServiceSpec): readonly FieldError[] {
  const { type = "" } = spec;
  if (type === "") return [required("spec.type")];
  if (!TYPES.includes(type)) return [notSupported("spec.type", type, TYPES)];
  if ((type === "LoadBalancer" || type === "NodePort") && isHeadless(spec))
    return [invalid("spec.clusterIPs[0]", NO_IP, `may not be set to 'None' for ${type} services`)];
  return type === "ExternalName" ? validateExternalName(spec) : [];
}

function validateExternalName(spec: ServiceSpec): readonly FieldError[] {
  const detail = "may not be set for ExternalName services";
  const errors: FieldError[] = [];
  if (spec.clusterIPs?.length) errors.push(forbidden("spec.clusterIPs", detail));
  else if (spec.clusterIP) errors.push(forbidden("spec.clusterIP", detail));
  if (spec.ipFamilies?.length) errors.push(forbidden("spec.ipFamilies", detail));
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbidden("spec.ipFamilyPolicy", detail));
  const name = spec.externalName?.replace(/\.$/, "") ?? "";
  if (name === "") errors.push(required("spec.externalName"));
  else
    errors.push(
      ...subdomainProblems(name).map((why) => invalid("spec.externalName", spec.externalName, why)),
    );
  return errors;
}

function validateAffinity({
  sessionAffinity = "",
  sessionAffinityConfig,
}: ServiceSpec): readonly FieldError[] {
  if (sessionAffinity === "") return [required("spec.sessionAffinity")];
  if (!AFFINITIES.includes(sessionAffinity))
    return [notSupported("spec.sessionAffinity", sessionAffinity, AFFINITIES)];
  if (sessionAffinity === "None")
    return sessionAffinityConfig === undefined
      ? []
      : [forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")];
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 0;
  return seconds > 0 && seconds <= MAX_AFFINITY_SECONDS
    ? []
    : [
        invalid(
          "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
          seconds,
          `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
        ),
      ];
}

function validateLoadBalancer(spec: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const isBalancer = spec.type === "LoadBalancer";
  if (spec.loadBalancerSourceRanges?.length && !isBalancer)
    errors.push(forbidden("spec.LoadBalancerSourceRanges", ONLY_LOAD_BALANCER));
  (spec.loadBalancerSourceRanges ?? []).forEach((text, i) => {
    if (readCidr(text.trim()) === undefined)
      errors.push(invalid(`spec.LoadBalancerSourceRanges[${i}]`, text, CIDR_RULE));
  });
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalancer)
    errors.push(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LOAD_BALANCER));
  if (spec.loadBalancerClass !== undefined) {
    if (!isBalancer) errors.push(forbidden("spec.loadBalancerClass", ONLY_LOAD_BALANCER));
    else
      for (const why of qualifiedNameProblems(spec.loadBalancerClass))
        errors.push(invalid("spec.loadBalancerClass", spec.loadBalancerClass, why));
  }
  return errors;
}

function validateTrafficPolicies(spec: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [...validateExternalPolicy(spec)];
  if (spec.healthCheckNodePort && !needsHealthCheckPort(spec))
    errors.push(
      invalid(
        "spec.healthCheckNodePort",
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  const inside = spec.internalTrafficPolicy;
  if (inside !== undefined && !POLICIES.includes(inside))
    errors.push(notSupported("spec.internalTrafficPolicy", inside, POLICIES));
  if (spec.trafficDistribution !== undefined && !DISTRIBUTIONS.includes(spec.trafficDistribution))
    errors.push(notSupported("spec.trafficDistribution", spec.trafficDistribution, DISTRIBUTIONS));
  return errors;
}

function validateExternalPolicy(spec: ServiceSpec): readonly FieldError[] {
  const path = "spec.externalTrafficPolicy";
  const policy = spec.externalTrafficPolicy ?? "";
  if (!isExternallyVisible(spec))
    return policy === "" ? [] : [invalid(path, policy, "may only be set for externally-accessible services")];
  if (policy === "") return [required(path)];
  return POLICIES.includes(policy) ? [] : [notSupported(path, policy, POLICIES)];
}
