import { isIp } from "#addr/ip";
import type { Service } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const IP_MODES = ["Proxy", "VIP"];

/** Where a load balancer says that its Service is found. */
export function validateServiceStatus({ spec, status }: Service): readonly FieldError[] {
  const path = "status.loadBalancer.ingress";
  const points = status?.loadBalancer?.ingress ?? [];
  if (spec?.type !== "LoadBalancer" && points.length > 0)
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  return points.flatMap(({ ip = "", hostname = "", ipMode }, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = ip === "" ? [] : [...validIp(`${at}.ip`, ip)];
    if (ipMode === undefined) {
      if (ip !== "") errors.push(required(`${at}.ipMode`, "must be specified when `ip` is set"));
    } else if (ip === "") errors.push(forbidden(`${at}.ipMode`, "may not be specified when `ip` is not set"));
    else if (!IP_MODES.includes(ipMode)) errors.push(notSupported(`${at}.ipMode`, ipMode, IP_MODES));
    if (hostname === "") return errors;
    errors.push(...problems(`${at}.hostname`, hostname, subdomainProblems(hostname)));
    if (isIp(hostname))
      errors.push(invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address"));
    return errors;
  });
}
