import type { Lease } from "#kube/generated/types";
import { LEASES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, invalid, notSupported } from "../field/error.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";

export const leases: KindSpec<Lease> = kindSpec<Lease>({
  resource: LEASES,
  definition: "io.k8s.api.coordination.v1.Lease",
  createsOnUpdate: true,
  requiresVersion: true,
  validate: validateLease,
  ...printer<Lease>([nameColumn, text("Holder", (lease) => lease.spec?.holderIdentity ?? ""), ageColumn]),
});

function validateLease({ spec }: Lease): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { leaseDurationSeconds, leaseTransitions } = spec ?? {};
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    errors.push(invalid("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"));
  if (leaseTransitions !== undefined && leaseTransitions < 0)
    errors.push(invalid("spec.leaseTransitions", leaseTransitions, "must be greater than or equal to 0"));
  if (
    spec?.strategy !== undefined &&
    spec.strategy !== "OldestEmulationVersion" &&
    !spec.strategy.includes("/")
  )
    errors.push(notSupported("spec.strategy", spec.strategy, ["OldestEmulationVersion"]));
  if (spec?.preferredHolder !== undefined && spec.strategy === undefined)
    errors.push(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  return errors;
}
