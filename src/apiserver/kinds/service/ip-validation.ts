import { familyOf, isIp } from "#addr/ip";
import type { ServiceSpec } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { duplicate, invalid, notSupported } from "../field/error.ts";
import type { FieldError } from "../kind.ts";
import { familyName } from "./families.ts";
import { NO_IP } from "./needs.ts";

const FAMILY_NAMES = ["IPv4", "IPv6"];
const FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/** Addresses, families and their policy agree with each other. What the cluster can give is allocation's question. */
export function validateClusterIps(spec: ServiceSpec): readonly FieldError[] {
  if (spec.type === "ExternalName") return [];
  return [...validatePolicy(spec), ...validateFamilies(spec), ...validateIps(spec)];
}

function validatePolicy(spec: ServiceSpec): readonly FieldError[] {
  const path = "spec.ipFamilyPolicy";
  const policy = spec.ipFamilyPolicy;
  if (policy !== undefined && !FAMILY_POLICIES.includes(policy))
    return [notSupported(path, policy, FAMILY_POLICIES)];
  const isDual = policy === "RequireDualStack" || policy === "PreferDualStack";
  const isTwo = (spec.clusterIPs ?? []).length > 1 || (spec.ipFamilies ?? []).length > 1;
  if (!isTwo || isDual || (policy === undefined && (spec.clusterIPs ?? [])[0] === NO_IP)) return [];
  return [
    invalid(
      path,
      policy ?? null,
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
    ),
  ];
}

function validateFamilies({ ipFamilies = [] }: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (ipFamilies.length > 2)
    errors.push(invalid("spec.ipFamilies", ipFamilies, "may only hold up to 2 values"));
  ipFamilies.forEach((family, i) => {
    if (!FAMILY_NAMES.includes(family))
      errors.push(notSupported(`spec.ipFamilies[${i}]`, family, FAMILY_NAMES));
    else if (ipFamilies.indexOf(family) < i) errors.push(duplicate(`spec.ipFamilies[${i}]`, family));
  });
  return errors;
}

function validateIps({
  clusterIP = "",
  clusterIPs = [],
  ipFamilies = [],
}: ServiceSpec): readonly FieldError[] {
  const path = "spec.clusterIPs";
  if (clusterIPs.length === 0)
    return clusterIP === ""
      ? []
      : [invalid(path, clusterIPs, "must be specified when `clusterIP` is specified")];
  if (clusterIPs[0] !== clusterIP) return [invalid(path, clusterIPs, "first value must match `clusterIP`")];
  if (clusterIPs.length > 2) return [invalid(path, clusterIPs, "may only hold up to 2 values")];
  if (clusterIPs[0] === NO_IP)
    return clusterIPs.length === 1
      ? []
      : [invalid(path, clusterIPs, "'None' must be the first and only value")];
  const errors = clusterIPs.flatMap((ip, i) => validateIp(`${path}[${i}]`, ip, ipFamilies[i]));
  const families = clusterIPs.filter(isIp).map(familyOf);
  if (families.length === 2 && families[0] === families[1])
    errors.push(
      invalid(
        path,
        clusterIPs,
        "may specify no more than one IP for each IP family, i.e ip[0] and ip[1] must have different families",
      ),
    );
  return errors;
}

function validateIp(path: string, ip: string, family: string | undefined): readonly FieldError[] {
  if (ip === NO_IP) return [invalid(path, ip, "'None' must be the first and only value")];
  const errors = validIp(path, ip);
  if (errors.length > 0 || family === undefined || familyName(familyOf(ip)) === family) return errors;
  return [
    invalid(
      path,
      ip,
      `expected an ${family} value as indicated by \`ipFamilies${path.slice(path.indexOf("["))}\``,
    ),
  ];
}
