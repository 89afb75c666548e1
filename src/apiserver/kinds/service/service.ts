import type { Service } from "#kube/generated/types";
import { SERVICES } from "#kube/resources";
import type { ServiceAllocation } from "../allocate/service-allocation.ts";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { carryOver, mirrorClusterIp, wipeForType } from "./carry-over.ts";
import { defaultService } from "./defaults.ts";
import { servicePrinter } from "./print.ts";
import { validateServiceStatus } from "./status-validation.ts";
import { validateServiceUpdate } from "./update-validation.ts";
import { validateService } from "./validation.ts";
import { serviceWarnings } from "./warnings.ts";

/** Services, whose addresses and node ports come from `allocation`. */
export function serviceKind(allocation: ServiceAllocation): KindSpec<Service> {
  return kindSpec<Service>({
    resource: SERVICES,
    definition: "io.k8s.api.core.v1.Service",
    shortNames: ["svc"],
    categories: ["all"],
    hasStatus: true,
    createsOnUpdate: true,
    deleteReturnsObject: true,
    nameRule: "service",
    defaults: defaultService,
    prepareCreate: (draft) => {
      draft.status = { loadBalancer: {} };
      mirrorClusterIp(draft.spec);
    },
    prepareUpdate: (draft, stored) => {
      carryOver(draft, stored);
      wipeForType(draft, stored);
    },
    validate: (service, { read }) => {
      const { namespace, name } = service.metadata;
      const early = allocation.foresee(service, read(SERVICES, namespace, name));
      return early.length > 0 ? early : validateService(service);
    },
    validateUpdate: (service, stored) =>
      allocation.foresee(service, stored).length > 0 ? [] : validateServiceUpdate(service, stored),
    validatePart: (_part, service) => validateServiceStatus(service),
    warnings: serviceWarnings,
    allocate: (draft, stored) => allocation.allocate(draft, stored),
    settle: (ref, stored) => allocation.settle(ref, stored),
    selectableFields: ({ spec }) => ({
      "spec.clusterIP": spec?.clusterIP ?? "",
      "spec.type": spec?.type ?? "",
    }),
    ...servicePrinter,
  });
}
