import type { Cidr } from "#addr/cidr";
import type { Service } from "#kube/generated/types";
import type { ObjectRef } from "#kube/object";
import type { Draft, FieldError } from "../kind.ts";

export interface ServiceAllocationOptions {
  /** One or two, of different families; the first one's family is the cluster's own. */
  readonly serviceCidrs: readonly Cidr[];
  readonly nodePortRange: { readonly from: number; readonly to: number };
}

/** Cluster addresses and node ports, and which Service holds which. */
export class ServiceAllocation {
  readonly #options: ServiceAllocationOptions;

  constructor(options: ServiceAllocationOptions) {
    this.#options = options;
  }

  allocate(_draft: Draft, _stored: Service | undefined): readonly FieldError[] {
    void this.#options;
    return [];
  }

  settle(_ref: ObjectRef, _stored: Service | undefined): void {}
}
