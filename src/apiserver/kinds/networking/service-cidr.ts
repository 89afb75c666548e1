import { cidrFamily, parseCidr } from "#addr/cidr";
import type { ServiceCIDR } from "#kube/generated/types";
import { SERVICE_CIDRS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { readCidr, validCidr } from "../field/addresses.ts";
import { IMMUTABLE, invalid, required } from "../field/error.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";

/** Keeps a ServiceCIDR until no Service has an address of it that no other ServiceCIDR holds. */
export const SERVICE_CIDR_FINALIZER = "networking.k8s.io/service-cidr-finalizer";
/** The one that the server makes of its own configuration. */
export const DEFAULT_SERVICE_CIDR = "kubernetes";

/** Networks that services' addresses come from; `settle` hears of every change. */
export function serviceCidrKind(
  settle: (name: string, stored: ServiceCIDR | undefined) => void,
): KindSpec<ServiceCIDR> {
  return { ...serviceCidrs, settle: ({ name }, stored) => settle(name, stored) };
}

export const serviceCidrs: KindSpec<ServiceCIDR> = kindSpec<ServiceCIDR>({
  resource: SERVICE_CIDRS,
  definition: "io.k8s.api.networking.v1.ServiceCIDR",
  hasStatus: true,
  validate: ({ spec }) => validateCidrs(spec?.cidrs ?? []),
  validateUpdate: ({ spec }, { spec: before }) => validateCidrsUpdate(spec?.cidrs ?? [], before?.cidrs ?? []),
  ...printer<ServiceCIDR>([
    nameColumn,
    text("CIDRs", ({ spec }) => (spec?.cidrs ?? []).join(",")),
    ageColumn,
  ]),
});

const PATH = "spec.cidrs";

function validateCidrs(cidrs: readonly string[]): readonly FieldError[] {
  if (cidrs.length === 0) return [required(PATH, "at least one CIDR required")];
  if (cidrs.length > 2) return [invalid(PATH, { cidrs }, "may only hold up to 2 values")];
  const errors = cidrs.flatMap((text, i) => validCidr(`${PATH}[${i}]`, text));
  const families = cidrs.map((text) => readCidr(text)).map((cidr) => cidr && cidrFamily(cidr));
  if (errors.length === 0 && families.length === 2 && families[0] === families[1])
    errors.push(
      invalid(
        PATH,
        cidrs,
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
      ),
    );
  return errors;
}

/** A network stays what it is; one of the other family may be added to it. */
function validateCidrsUpdate(now: readonly string[], before: readonly string[]): readonly FieldError[] {
  const grows = before.length === 1 && now.length === 2;
  if (now.length !== before.length && !grows) return [invalid(PATH, now, IMMUTABLE)];
  return before.flatMap((cidr, i) => (cidr === now[i] ? [] : [invalid(`${PATH}[${i}]`, now[i], IMMUTABLE)]));
}

/** The networks of a ServiceCIDR that validated. */
export function networksOf({ spec }: ServiceCIDR) {
  return (spec?.cidrs ?? []).map((text) => parseCidr(text));
}
