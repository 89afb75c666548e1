import type { Cidr } from "#addr/cidr";
import {
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicyBindings,
} from "./admissionregistration/bindings.ts";
import { mutatingAdmissionPolicies, validatingAdmissionPolicies } from "./admissionregistration/policies.ts";
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from "./admissionregistration/webhooks.ts";
import { ServiceAllocation } from "./allocate/service-allocation.ts";
import { controllerRevisions } from "./apps/controller-revision.ts";
import { daemonSets } from "./apps/daemon-set.ts";
import { deployments } from "./apps/deployment.ts";
import { replicaSets } from "./apps/replica-set.ts";
import { statefulSets } from "./apps/stateful-set.ts";
import { horizontalPodAutoscalers } from "./autoscaling/autoscaler.ts";
import { horizontalPodAutoscalersV1 } from "./autoscaling/autoscaler-v1.ts";
import { cronJobs, jobs } from "./batch/job.ts";
import { certificateSigningRequests } from "./certificates/signing-request.ts";
import { componentStatuses } from "./core/component-status.ts";
import { configMaps, secrets } from "./core/config.ts";
import { endpoints } from "./core/endpoints.ts";
import { events } from "./core/event.ts";
import { eventsV1 } from "./core/event-v1.ts";
import { leases } from "./core/lease.ts";
import { namespaces } from "./core/namespace.ts";
import { nodes } from "./core/node.ts";
import { podTemplates } from "./core/pod-template.ts";
import { limitRanges, resourceQuotas } from "./core/quota.ts";
import { replicationControllers } from "./core/replication-controller.ts";
import { serviceAccounts } from "./core/service-account.ts";
import { customResourceDefinitions } from "./extension/custom-resource-definition.ts";
import type { KindSpec } from "./kind.ts";
import { endpointSlices } from "./networking/endpoint-slice.ts";
import { ingresses } from "./networking/ingress.ts";
import { ingressClasses } from "./networking/ingress-class.ts";
import { ipAddressKind } from "./networking/ip-address.ts";
import { networkPolicies } from "./networking/network-policy.ts";
import { serviceCidrKind } from "./networking/service-cidr.ts";
import { runtimeClasses } from "./node/runtime-class.ts";
import { pods } from "./pod/pod.ts";
import { podDisruptionBudgets } from "./policy/budget.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "./rbac/rbac.ts";
import { serviceKind } from "./service/service.ts";
import { priorityClasses, storageClasses } from "./storage/classes.ts";
import { csiDrivers } from "./storage/csi-driver.ts";
import { csiNodes } from "./storage/csi-node.ts";
import { csiStorageCapacities } from "./storage/csi-storage-capacity.ts";
import { volumeAttachments } from "./storage/volume-attachment.ts";
import { volumeAttributesClasses } from "./storage/volume-attributes-class.ts";
import { persistentVolumeClaims, persistentVolumes } from "./storage/volumes.ts";
import { warnUnattended } from "./unattended.ts";

export interface KindsOptions {
  /** One or two, of different families; the first one's family is the cluster's own. */
  readonly serviceCidrs: readonly Cidr[];
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly clusterDomain: string;
}

/** Every kind the API serves, core group first, groups in the order discovery shows them. Nothing is taken yet: `settle` of each kind, called
 *  with every stored object, makes it so. */
export function openKinds(options: KindsOptions): { readonly kinds: readonly KindSpec[] } {
  const allocation = new ServiceAllocation(options);
  const core = [
    componentStatuses,
    configMaps,
    endpoints,
    events,
    limitRanges,
    namespaces,
    nodes,
    persistentVolumeClaims,
    persistentVolumes,
    pods,
    podTemplates,
    replicationControllers,
    resourceQuotas,
    secrets,
    serviceAccounts,
    serviceKind(allocation),
  ];
  const admission = [
    mutatingAdmissionPolicies,
    mutatingAdmissionPolicyBindings,
    mutatingWebhookConfigurations,
    validatingAdmissionPolicies,
    validatingAdmissionPolicyBindings,
    validatingWebhookConfigurations,
  ];
  const apps = [controllerRevisions, daemonSets, deployments, replicaSets, statefulSets];
  const rbac = [clusterRoleBindings, clusterRoles, roleBindings, roles];
  return {
    kinds: [
      ...core,
      ...apps,
      eventsV1,
      horizontalPodAutoscalers,
      horizontalPodAutoscalersV1,
      cronJobs,
      jobs,
      ingressClasses,
      ingresses,
      ipAddressKind((name, stored) => allocation.settleAddress(name, stored)),
      networkPolicies,
      serviceCidrKind((name, stored) => allocation.settleNetwork(name, stored)),
      podDisruptionBudgets,
      certificateSigningRequests,
      ...rbac,
      csiDrivers,
      csiNodes,
      csiStorageCapacities,
      storageClasses,
      volumeAttachments,
      volumeAttributesClasses,
      runtimeClasses,
      ...admission,
      priorityClasses,
      leases,
      endpointSlices,
      customResourceDefinitions,
    ].map(warnUnattended),
  };
}
