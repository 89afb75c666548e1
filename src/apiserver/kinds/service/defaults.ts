import type { Draft } from "../kind.ts";
import { isExternallyVisible } from "./needs.ts";

export function defaultService(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.type ||= "ClusterIP";
  spec.sessionAffinity ||= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10800;
  }
  for (const port of spec.ports ?? []) defaultPort(port);
  if (isExternallyVisible(spec)) spec.externalTrafficPolicy ||= "Cluster";
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type === "LoadBalancer") spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of draft.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= "VIP";
}

function defaultPort(port: Draft): void {
  port.protocol ||= "TCP";
  if (
    port.targetPort === undefined ||
    port.targetPort === null ||
    port.targetPort === 0 ||
    port.targetPort === ""
  )
    port.targetPort = port.port;
}
