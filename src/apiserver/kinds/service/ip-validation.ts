import { familyOf, isIp } from "#addr/ip";
import type { ServiceSpec } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { duplicate, invalid, notSupported, required } from "../field/error.ts";
import type { FieldError } from "../kind.ts";
import { familyName } from "./families.ts";
import { NO_IP } from "./needs.ts";

const FAMILY_NAMES = ["IPv4", "IPv6"];
const FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/** Addresses, families and their policy agree with each other. What the cluster can give is allocation's question. */
export function validateClusterIps(spec: ServiceSpec): readonly FieldError[] {
  if (spec.type === "ExternalName") return [];
  return [
    ...validateSpellings(spec),
    ...validateFamilies(spec),
    ...(spec.ipFamilyPolicy === undefined || FAMILY_POLICIES.includes(spec.ipFamilyPolicy)
      ? []
      : [notSupported("spec.ipFamilyPolicy", spec.ipFamilyPolicy, FAMILY_POLICIES)]),
    ...validateIps(spec),
  ];
}

const IPS = "spec.clusterIPs";

/** The first address has two fields. */
function validateSpellings({ clusterIP = "", clusterIPs = [] }: ServiceSpec): readonly FieldError[] {
  if (clusterIP === "")
    return clusterIPs.length === 0
      ? []
      : [invalid(IPS, clusterIPs, "must be empty when `clusterIP` is not specified")];
  if (clusterIPs.length === 0) return [required(IPS)];
  return clusterIPs[0] === clusterIP ? [] : [invalid(IPS, clusterIPs, "first value must match `clusterIP`")];
}

function validateFamilies({ ipFamilies = [] }: ServiceSpec): readonly FieldError[] {
  return ipFamilies.flatMap((family, i) => {
    const at = `spec.ipFamilies[${i}]`;
    return [
      ...(FAMILY_NAMES.includes(family) ? [] : [notSupported(at, family, FAMILY_NAMES)]),
      ...(ipFamilies.indexOf(family) < i ? [duplicate(at, family)] : []),
    ];
  });
}

function validateIps({
  type,
  clusterIP,
  clusterIPs = [],
  ipFamilies = [],
}: ServiceSpec): readonly FieldError[] {
  const isNone = clusterIPs[0] === NO_IP;
  const wrong = [
    ...(isNone && clusterIPs.length > 1
      ? [invalid(IPS, clusterIPs, "'None' must be the first and only value")]
      : []),
    ...clusterIPs.flatMap((ip, i) => (isNone && i === 0 ? [] : validIp(`${IPS}[${i}]`, ip))),
  ];
  const errors = [...wrong];
  if (clusterIPs.length > 2) errors.push(invalid(IPS, clusterIPs, "may only hold up to 2 values"));
  if (wrong.length > 0) return errors;
  const families = clusterIPs.filter(isIp).map(familyOf);
  if (families.length > 1 && new Set(families).size < 2)
    errors.push(invalid(IPS, clusterIPs, "may specify no more than one IP for each IP family"));
  if (type === "ClusterIP" && clusterIP === NO_IP) return errors;
  clusterIPs.forEach((ip, i) => {
    const family = ipFamilies[i];
    if (!isIp(ip) || family === undefined || !FAMILY_NAMES.includes(family)) return;
    if (familyName(familyOf(ip)) !== family)
      errors.push(
        invalid(`${IPS}[${i}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``),
      );
  });
  return errors;
}
