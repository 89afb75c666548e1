import type { Family } from "#addr/family";
import { familyOf, isIp } from "#addr/ip";
import type { Service } from "#kube/generated/types";
import { invalid } from "../field/error.ts";
import { withoutNulls } from "../field/nulls.ts";
import type { Draft, FieldError } from "../kind.ts";
import { validateClusterIps } from "./ip-validation.ts";
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
  const isOpen = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
  const loose = validateClusterIps(withoutNulls(spec));
  if (loose.length > 0) return loose;
  const policy = spec.ipFamilyPolicy ?? (isOpen ? "RequireDualStack" : "SingleStack");
  const errors = [
    ...checkPolicy({ ...spec, ipFamilyPolicy: policy }, stored),
    ...inferFamilies(spec, configured),
  ];
  if (errors.length > 0) return errors;
  spec.ipFamilyPolicy = policy;
  if (isOpen) {
    initSelectorless(spec, configured);
    return [];
  }
  return checkConfigured(spec, configured) ?? fillFamilies(spec, configured);
}

/** The policy allows as many addresses and families as there are, and is changed before the second of either goes. */
function checkPolicy(spec: Draft, stored: Service | undefined): readonly FieldError[] {
  const path = "spec.ipFamilyPolicy";
  const policy = spec.ipFamilyPolicy;
  const before = stored?.spec;
  const words = [
    ["clusterIPs", "cluster IP"],
    ["ipFamilies", "IP family"],
  ] as const;
  if (policy !== "SingleStack")
    return words
      .filter(
        ([field]) =>
          (spec[field] ?? []).length > 0 && (spec[field] ?? []).length < (before?.[field] ?? []).length,
      )
      .map(([, word]) => invalid(path, policy, `must be 'SingleStack' to release the secondary ${word}`));
  return words
    .filter(([field]) => (spec[field] ?? []).length === 2)
    .map(([field, word]) =>
      invalid(
        path,
        policy,
        `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${field === "ipFamilies" ? "IP families" : `${word}s`} are specified`,
      ),
    );
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
  const [first = "IPv4"] = spec.ipFamilies?.length ? spec.ipFamilies : configured;
  const second = first === "IPv4" ? "IPv6" : "IPv4";
  if ((spec.ipFamilies ?? []).length < 2)
    spec.ipFamilies = spec.ipFamilyPolicy === "SingleStack" ? [first] : [first, second];
}

function checkConfigured(spec: Draft, configured: readonly FamilyName[]): readonly FieldError[] | undefined {
  const errors: FieldError[] = [];
  const policy = spec.ipFamilyPolicy;
  if (policy === "RequireDualStack" && configured.length < 2)
    errors.push(
      invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"),
    );
  for (const [i, family] of (spec.ipFamilies ?? []).entries())
    if (!configured.includes(family))
      errors.push(invalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"));
  return errors.length === 0 ? undefined : errors;
}

function fillFamilies(spec: Draft, configured: readonly FamilyName[]): readonly FieldError[] {
  if (!spec.ipFamilies?.length) spec.ipFamilies = configured.slice(0, 1);
  if (spec.ipFamilyPolicy === "SingleStack" || spec.ipFamilies.length > 1) return [];
  const second = configured.find((family) => family !== spec.ipFamilies[0]);
  if (second !== undefined) spec.ipFamilies = [...spec.ipFamilies, second];
  return [];
}
