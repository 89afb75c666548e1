import type { Draft } from "../kind.ts";

/** The address of a headless Service: none, said out loud. */
export const NO_IP = "None";

/** The type has a place for a cluster address, even if it is `None`. */
export function needsClusterIp(spec: Draft): boolean {
  return spec?.type === "ClusterIP" || spec?.type === "NodePort" || spec?.type === "LoadBalancer";
}

export function isHeadless(spec: Draft): boolean {
  return spec?.clusterIP === NO_IP || spec?.clusterIPs?.[0] === NO_IP;
}

/** Every port gets a node port without being asked to. */
export function needsNodePort(spec: Draft): boolean {
  return (
    spec?.type === "NodePort" ||
    (spec?.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false)
  );
}

/** Load balancers have to ask each node whether it has local endpoints. */
export function needsHealthCheckPort(spec: Draft): boolean {
  return spec?.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

/** The Service takes traffic from outside the cluster. */
export function isExternallyVisible(spec: Draft): boolean {
  return (
    spec?.type === "NodePort" ||
    spec?.type === "LoadBalancer" ||
    (spec?.type === "ClusterIP" && (spec.externalIPs ?? []).length > 0)
  );
}
