import type { Service, ServiceSpec } from "#kube/generated/types";
import { invalid } from "../field/error.ts";
import type { FieldError } from "../kind.ts";
import { isHeadless, needsClusterIp, needsHealthCheckPort } from "./needs.ts";

export function validateServiceUpdate(service: Service, stored: Service): readonly FieldError[] {
  const { spec } = service;
  const before = stored.spec;
  if (spec === undefined || before === undefined) return [];
  return [
    ...(needsClusterIp(spec) && needsClusterIp(before) ? validateAddresses(spec, before) : []),
    ...validateClass(spec, before),
    ...validateHealthPort(spec, before),
  ];
}

/** The first address and family stay for life; the second may come and go. Families bind addresses only: a headless Service changes them freely. */
function validateAddresses(spec: ServiceSpec, before: ServiceSpec): readonly FieldError[] {
  const ips = validateList(
    "spec.clusterIPs",
    spec.clusterIPs ?? [],
    before.clusterIPs ?? [],
    spec,
    "primary clusterIP can not be unset",
  );
  if (isHeadless(before) || isHeadless(spec)) return ips;
  return [
    ...ips,
    ...validateList(
      "spec.ipFamilies",
      spec.ipFamilies ?? [],
      before.ipFamilies ?? [],
      spec,
      "primary ipFamily can not be unset",
    ),
  ];
}

function validateList(
  path: string,
  now: readonly string[],
  before: readonly string[],
  spec: ServiceSpec,
  unset: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (before[0] === undefined) return errors;
  if (now[0] === undefined) return [invalid(`${path}[0]`, now, unset)];
  if (now[0] !== before[0]) errors.push(invalid(`${path}[0]`, now, "may not change once set"));
  if (before[1] === undefined) return errors;
  if (now[1] === undefined) {
    if (spec.ipFamilyPolicy !== "SingleStack")
      errors.push(
        invalid(
          "spec.ipFamilyPolicy",
          spec.ipFamilyPolicy,
          "must be 'SingleStack' to release the secondary cluster IP",
        ),
      );
  } else if (now[1] !== before[1]) errors.push(invalid(`${path}[1]`, now, "may not change once set"));
  return errors;
}

function validateClass(spec: ServiceSpec, before: ServiceSpec): readonly FieldError[] {
  const stays = spec.type === "LoadBalancer" && before.type === "LoadBalancer";
  return !stays || spec.loadBalancerClass === before.loadBalancerClass
    ? []
    : [invalid("spec.loadBalancerClass", spec.loadBalancerClass ?? null, "may not change once set")];
}

function validateHealthPort(spec: ServiceSpec, before: ServiceSpec): readonly FieldError[] {
  const stays = needsHealthCheckPort(spec) && needsHealthCheckPort(before);
  return !stays || spec.healthCheckNodePort === before.healthCheckNodePort
    ? []
    : [invalid("spec.healthCheckNodePort", spec.healthCheckNodePort ?? 0, "field is immutable")];
}
