import type { Family } from "#addr/family";
import { familyOf, isIp } from "#addr/ip";
import type { Service } from "#kube/generated/types";
import { invalid } from "../field/error.ts";
import type { Draft, FieldError } from "../kind.ts";
import { isHeadless, NO_IP, needsClusterIp } from "./needs.ts";

export type FamilyName = "IPv4" | "IPv6";

export function familyName(family: Family): FamilyName {
  return `IPv${family}`;
}

/** Fills ipFamilyPolicy and ipFamilies from what was asked for and what the cluster has; `configured` is the cluster's families, its own first. */
export function initFamilies(
  draft: Draft,
  stored: Service | undefined,
  configured: readonly FamilyName[],
): readonly FieldError[] {
  const { spec } = draft;
  if (!needsClusterIp(spec) || keepsWhatItPrefers(spec, stored)) return [];
  const inferred = inferFamilies(spec, configured);
  if (inferred.length > 0) return inferred;
  if (isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0) {
    initSelectorless(spec, configured);
    return [];
  }
  spec.ipFamilyPolicy ??= "SingleStack";
  return checkConfigured(spec, configured) ?? fillFamilies(spec, configured);
}

/** A Service that prefers two families and was given one keeps that one until its user changes it. */
function keepsWhatItPrefers(spec: Draft, stored: Service | undefined): boolean {
  const before = stored?.spec;
  return (
    before !== undefined &&
    needsClusterIp(before) &&
    before.ipFamilyPolicy === "PreferDualStack" &&
    spec.ipFamilyPolicy === "PreferDualStack" &&
    (spec.ipFamilies ?? []).join() === (before.ipFamilies ?? []).join() &&
    (spec.clusterIPs ?? []).join() === (before.clusterIPs ?? []).join()
  );
}

function inferFamilies(spec: Draft, configured: readonly FamilyName[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, ip] of (spec.clusterIPs ?? []).entries()) {
    if (ip === NO_IP || !isIp(ip)) break;
    if (i < (spec.ipFamilies ?? []).length) continue;
    const family = familyName(familyOf(ip));
    if (configured.includes(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else
      errors.push(
        invalid(`spec.clusterIPs[${i}]`, spec.clusterIPs, `${family} is not configured on this cluster`),
      );
  }
  return errors;
}

/** Endpoints that someone else writes may be of both families, even where the cluster has one. */
function initSelectorless(spec: Draft, configured: readonly FamilyName[]): void {
  spec.ipFamilyPolicy ??= "RequireDualStack";
  const [first = "IPv4"] = spec.ipFamilies?.length ? spec.ipFamilies : configured;
  const second = first === "IPv4" ? "IPv6" : "IPv4";
  if ((spec.ipFamilies ?? []).length < 2)
    spec.ipFamilies = spec.ipFamilyPolicy === "SingleStack" ? [first] : [first, second];
}

function checkConfigured(spec: Draft, configured: readonly FamilyName[]): readonly FieldError[] | undefined {
  const errors: FieldError[] = [];
  for (const [i, family] of (spec.ipFamilies ?? []).entries())
    if (!configured.includes(family))
      errors.push(invalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"));
  if (spec.ipFamilyPolicy === "RequireDualStack" && configured.length < 2)
    errors.push(
      invalid(
        "spec.ipFamilyPolicy",
        spec.ipFamilyPolicy,
        "this cluster is not configured for dual-stack services",
      ),
    );
  return errors.length === 0 ? undefined : errors;
}

function fillFamilies(spec: Draft, configured: readonly FamilyName[]): readonly FieldError[] {
  if (!spec.ipFamilies?.length) spec.ipFamilies = configured.slice(0, 1);
  if (spec.ipFamilyPolicy === "SingleStack" || spec.ipFamilies.length > 1) return [];
  const second = configured.find((family) => family !== spec.ipFamilies[0]);
  if (second !== undefined) spec.ipFamilies = [...spec.ipFamilies, second];
  return [];
}
