import type { Service } from "#kube/generated/types";

/** What kube-apiserver says to whoever writes such a Service. @see pkg/api/service/warnings.go */
export function serviceWarnings(service: Service, _stored: Service | undefined): readonly string[] {
  const { spec, metadata } = service;
  const warnings: string[] = [];
  if (metadata.annotations?.["service.kubernetes.io/topology-aware-hints"] !== undefined)
    warnings.push(
      "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead",
    );
  if (spec?.type === "ExternalName" && spec.externalIPs?.length)
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (spec?.type !== "ExternalName" && spec?.externalName)
    warnings.push(`spec.externalName is ignored when spec.type is not "ExternalName"`);
  if (spec?.clusterIP === "None" && spec.loadBalancerIP)
    warnings.push("spec.loadBalancerIP is ignored for headless services");
  if (spec?.clusterIP === "None" && spec.externalIPs?.length)
    warnings.push("spec.externalIPs is ignored for headless services");
  if (spec?.clusterIP === "None" && spec.sessionAffinity === "ClientIP")
    warnings.push("spec.SessionAffinity is ignored for headless services");
  return warnings;
}
