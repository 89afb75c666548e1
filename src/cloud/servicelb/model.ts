import type { Service } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";

/** What a cluster's ServiceLB is set to; each value is K3s's default unless given. */
export interface ServiceLbConfig {
  /** Where the DaemonSets and their pods are, whatever the Service's own namespace. */
  readonly namespace: string;
  readonly image: string;
  /** Of pods whose Service asks for no other. */
  readonly priorityClassName: string;
}

export const SERVICELB_DEFAULTS: ServiceLbConfig = {
  namespace: "kube-system",
  image: "rancher/klipper-lb:v0.4.17",
  priorityClassName: "system-node-critical",
};

/** The account the pods run as; it can do nothing. */
export const ACCOUNT = "svclb";
/** Keeps a Service from going before its load balancer. */
export const FINALIZER = "service.kubernetes.io/load-balancer-cleanup";
/** What K3s put in the same place before it had a cloud controller. */
export const LEGACY_FINALIZER = "svccontroller.k3s.cattle.io/daemonset";
/** Who writes: told apart from other controllers in the managed fields of Services. */
export const FIELD_MANAGER = "twill-servicelb";

/** A class, even an empty one, is somebody else's to serve. */
export function wantsBalancer({ spec }: Service): boolean {
  return spec?.type === "LoadBalancer" && spec.loadBalancerClass === undefined;
}

/** Somebody else serves it: nothing of it may be touched. */
export function isForeign({ spec }: Service): boolean {
  return spec?.type === "LoadBalancer" && spec.loadBalancerClass !== undefined;
}

/** It has to have a load balancer now. */
export function isServed(service: Service): boolean {
  return wantsBalancer(service) && !isDeleting(service);
}

export function hasFinalizer({ metadata }: Service, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false;
}

export function isLocalOnly({ spec }: Service): boolean {
  return spec?.externalTrafficPolicy === "Local";
}
