import type { Service } from "#kube/generated/types";
import { cidrWarnings, ipWarnings } from "../field/addresses.ts";

/** What kube-apiserver says to whoever writes such a Service. @see pkg/api/service/warnings.go */
export function serviceWarnings(
  { spec = {}, metadata }: Service,
  _stored: Service | undefined,
): readonly string[] {
  const { clusterIPs = [], externalIPs = [], loadBalancerIP, loadBalancerSourceRanges = [] } = spec;
  const isHeadless = spec.type === "ClusterIP" && spec.clusterIP === "None";
  const isExternal = spec.type === "ExternalName";
  const hints = metadata.annotations?.["service.kubernetes.io/topology-aware-hints"];
  const lines: readonly (readonly [boolean, string])[] = [
    [
      hints !== undefined,
      "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead",
    ],
    [isHeadless && Boolean(loadBalancerIP), "spec.loadBalancerIP is ignored for headless services"],
    [isHeadless && externalIPs.length > 0, "spec.externalIPs is ignored for headless services"],
    [isHeadless && spec.sessionAffinity !== "None", "spec.SessionAffinity is ignored for headless services"],
    [
      !isHeadless && !isExternal && externalIPs.length > 0,
      "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ],
    [isExternal && externalIPs.length > 0, 'spec.externalIPs is ignored when spec.type is "ExternalName"'],
    [
      !isExternal && Boolean(spec.externalName),
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ],
    [
      spec.trafficDistribution === "PreferClose",
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  ];
  return [
    ...clusterIPs.flatMap((ip, i) => ipWarnings(`spec.clusterIPs[${i}]`, ip)),
    ...externalIPs.flatMap((ip, i) => ipWarnings(`spec.externalIPs[${i}]`, ip)),
    ...(loadBalancerIP ? ipWarnings("spec.loadBalancerIP", loadBalancerIP) : []),
    ...loadBalancerSourceRanges.flatMap((cidr, i) =>
      cidrWarnings(`spec.loadBalancerSourceRanges[${i}]`, cidr),
    ),
    ...lines.filter(([holds]) => holds).map(([, text]) => text),
  ];
}
