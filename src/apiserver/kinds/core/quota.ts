import { randomUUID } from "node:crypto";
import type { LimitRange, ResourceQuota } from "#kube/generated/types";
import { LIMIT_RANGES, RESOURCE_QUOTAS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { compare } from "../print/words.ts";
import {
  validateLimitRange,
  validateQuota,
  validateQuotaStatus,
  validateQuotaUpdate,
} from "./quota-validation.ts";

export const limitRanges: KindSpec<LimitRange> = kindSpec<LimitRange>({
  resource: LIMIT_RANGES,
  definition: "io.k8s.api.core.v1.LimitRange",
  shortNames: ["limits"],
  createsOnUpdate: true,
  defaults: defaultLimits,
  // Nobody need name one.
  prepareCreate: (draft) => {
    if (!draft.metadata.name && !draft.metadata.generateName) draft.metadata.name = randomUUID();
  },
  validate: validateLimitRange,
});

export const resourceQuotas: KindSpec<ResourceQuota> = kindSpec<ResourceQuota>({
  resource: RESOURCE_QUOTAS,
  definition: "io.k8s.api.core.v1.ResourceQuota",
  shortNames: ["quota"],
  hasStatus: true,
  deleteReturnsObject: true,
  validate: validateQuota,
  validateUpdate: validateQuotaUpdate,
  validatePart: (_part, quota) => validateQuotaStatus(quota),
  ...printer<ResourceQuota>([
    nameColumn,
    text("Request", (quota) => usage(quota, (key) => !key.startsWith("limits."))),
    text("Limit", (quota) => usage(quota, (key) => key.startsWith("limits."))),
    ageColumn,
  ]),
});

/** A container that is bounded but given no amount gets the most; one that asks for nothing asks for what it is given, or for the least. */
function defaultLimits(draft: Draft): void {
  for (const limit of draft.spec?.limits ?? []) {
    if (limit.type !== "Container") continue;
    const fill = (bound: string, from: string) => {
      const amounts = { ...limit[from], ...limit[bound] };
      if (Object.keys(amounts).length > 0) limit[bound] = amounts;
    };
    fill("default", "max");
    fill("defaultRequest", "default");
    fill("defaultRequest", "min");
  }
}

function usage(quota: ResourceQuota, wanted: (key: string) => boolean): string {
  const hard = quota.status?.hard ?? {};
  return Object.keys(hard)
    .filter(wanted)
    .sort(compare)
    .map((key) => `${key}: ${quota.status?.used?.[key] ?? "0"}/${hard[key] ?? "0"}`)
    .join(", ");
}
