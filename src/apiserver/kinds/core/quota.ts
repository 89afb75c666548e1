import type { LimitRange, ResourceQuota } from "#kube/generated/types";
import { LIMIT_RANGES, RESOURCE_QUOTAS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { compare } from "../print/words.ts";

/** Stored and returned, not enforced. */
export const limitRanges: KindSpec<LimitRange> = kindSpec<LimitRange>({
  resource: LIMIT_RANGES,
  definition: "io.k8s.api.core.v1.LimitRange",
  shortNames: ["limits"],
  createsOnUpdate: true,
});

/** Stored and returned, not enforced. */
export const resourceQuotas: KindSpec<ResourceQuota> = kindSpec<ResourceQuota>({
  resource: RESOURCE_QUOTAS,
  definition: "io.k8s.api.core.v1.ResourceQuota",
  shortNames: ["quota"],
  hasStatus: true,
  deleteReturnsObject: true,
  ...printer<ResourceQuota>([
    nameColumn,
    text("Request", (quota) => usage(quota, (key) => !key.startsWith("limits."))),
    text("Limit", (quota) => usage(quota, (key) => key.startsWith("limits."))),
    ageColumn,
  ]),
});

function usage(quota: ResourceQuota, wanted: (key: string) => boolean): string {
  const hard = quota.status?.hard ?? {};
  return Object.keys(hard)
    .filter(wanted)
    .sort(compare)
    .map((key) => `${key}: ${quota.status?.used?.[key] ?? "0"}/${hard[key] ?? "0"}`)
    .join(", ");
}
