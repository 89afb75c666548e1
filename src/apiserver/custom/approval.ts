import type { CustomResourceDefinition } from "#kube/generated/types";
import { invalid, required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";

const ANNOTATION = "api-approved.kubernetes.io";
const MISSING = `protected groups must have approval annotation "${ANNOTATION}", see https://github.com/kubernetes/enhancements/pull/1111`;

/** How a definition stands in a group that is Kubernetes' own; undefined for other groups. */
export function approvalOf({
  metadata,
  spec,
}: CustomResourceDefinition):
  | { readonly state: "approved" | "bypassed" | "missing" | "invalid"; readonly reason: string }
  | undefined {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(spec.group)) return undefined;
  const value = metadata.annotations?.[ANNOTATION] ?? "";
  if (value === "") return { state: "missing", reason: MISSING };
  if (value.startsWith("unapproved"))
    return { state: "bypassed", reason: `not approved: ${JSON.stringify(value)}` };
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+/i.test(value))
    return { state: "approved", reason: `approved in ${value}` };
  return {
    state: "invalid",
    reason: `protected groups must have approval annotation "${ANNOTATION}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
  };
}

/** Groups of Kubernetes' own want an approval; one that was let through without stays. */
export function approvalErrors(
  definition: CustomResourceDefinition,
  stored: CustomResourceDefinition | undefined,
): FieldError[] {
  const approval = approvalOf(definition);
  if (approval === undefined) return [];
  if (stored !== undefined && approvalOf(stored)?.state === approval.state) return [];
  const path = `metadata.annotations[${ANNOTATION}]`;
  if (approval.state === "missing") return [required(path, approval.reason)];
  if (approval.state !== "invalid") return [];
  return [invalid(path, definition.metadata.annotations?.[ANNOTATION] ?? "", approval.reason)];
}
