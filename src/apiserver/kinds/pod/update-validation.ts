import type { Container, Pod, PodSpec, Toleration } from "#kube/generated/types";
import { forbidden, invalid } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";

const MAY_CHANGE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** A pod that runs keeps its spec, but for images, a nearer deadline and more tolerations; one that waits behind scheduling gates may lose gates
 *  and narrow where it goes. */
export function validatePodUpdate({ spec }: Pod, { spec: before }: Pod): readonly FieldError[] {
  if (spec === undefined || before === undefined) return [];
  if ((spec.containers ?? []).length !== (before.containers ?? []).length)
    return [forbidden("spec.containers", "pod updates may not add or remove containers")];
  if ((spec.initContainers ?? []).length !== (before.initContainers ?? []).length)
    return [forbidden("spec.initContainers", "pod updates may not add or remove containers")];
  return [
    ...validateDeadline(spec.activeDeadlineSeconds, before.activeDeadlineSeconds),
    ...validateTolerations(spec.tolerations ?? [], before.tolerations ?? []),
    ...validateGates(spec, before),
    ...(isGated(before) ? validateNarrowing(spec, before) : []),
    ...validateRest(spec, before),
  ];
}

function validateDeadline(now: number | undefined, before: number | undefined): readonly FieldError[] {
  const path = "spec.activeDeadlineSeconds";
  if (before === undefined) return [];
  if (now === undefined) return [invalid(path, null, "must not update from a positive integer to nil value")];
  return now > before ? [invalid(path, now, `must be less than or equal to previous value`)] : [];
}

function validateTolerations(
  now: readonly Toleration[],
  before: readonly Toleration[],
): readonly FieldError[] {
  const kept = before.every((old) => now.some((one) => sameJson(withoutSeconds(one), withoutSeconds(old))));
  return kept
    ? []
    : [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

function withoutSeconds({ tolerationSeconds: _, ...rest }: Toleration): object {
  return rest;
}

function validateGates(spec: PodSpec, before: PodSpec): readonly FieldError[] {
  const old = new Set((before.schedulingGates ?? []).map(({ name }) => name));
  return (spec.schedulingGates ?? []).flatMap(({ name }, i) =>
    old.has(name)
      ? []
      : [
          forbidden(
            `spec.schedulingGates[${i}].name`,
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

function isGated({ schedulingGates = [] }: PodSpec): boolean {
  return schedulingGates.length > 0;
}

/** Before it is scheduled, a pod may be sent to fewer nodes, never to others. */
function validateNarrowing(spec: PodSpec, before: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(before.nodeSelector ?? {}))
    if (spec.nodeSelector?.[key] !== value)
      errors.push(
        invalid(
          `spec.nodeSelector`,
          spec.nodeSelector ?? {},
          "only additions to nodeSelector are allowed (no mutations or deletions)",
        ),
      );
  const path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  const terms = (of: PodSpec) =>
    of.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const old = terms(before);
  const now = terms(spec);
  if (old.length === 0) return errors;
  if (now.length !== old.length)
    return [
      ...errors,
      invalid(path, now, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
    ];
  old.forEach((term, i) => {
    const keeps = (list: "matchExpressions" | "matchFields") =>
      sameJson((now[i]?.[list] ?? []).slice(0, (term[list] ?? []).length), term[list] ?? []);
    if (!keeps("matchExpressions") || !keeps("matchFields"))
      errors.push(invalid(`${path}[${i}]`, now[i], "only additions are allowed (no mutations or deletions)"));
  });
  return errors;
}

function validateRest(spec: PodSpec, before: PodSpec): readonly FieldError[] {
  const gated = isGated(before);
  const now = fixedPart(spec, before, gated);
  const old = fixedPart(before, before, gated);
  if (sameJson(now, old)) return [];
  return [forbidden("spec", `${MAY_CHANGE}\n${difference(old, now).join("\n")}\n`)];
}

/** The spec without what may change; in the shape of JSON, so that an absent field and an undefined one are the same. */
function fixedPart(spec: PodSpec, before: PodSpec, gated: boolean): Readonly<Record<string, unknown>> {
  const withoutImages = (containers: readonly Container[] | undefined) =>
    containers?.map(({ image: _, ...rest }) => rest);
  const part: Record<string, unknown> = {
    ...spec,
    containers: withoutImages(spec.containers),
    initContainers: withoutImages(spec.initContainers),
  };
  for (const field of ["activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"])
    delete part[field];
  const grace = before.terminationGracePeriodSeconds ?? 0;
  if (grace < 0 && spec.terminationGracePeriodSeconds === 1) part["terminationGracePeriodSeconds"] = grace;
  if (gated) {
    delete part["nodeSelector"];
    const { nodeAffinity: _, ...others } = spec.affinity ?? {};
    if (Object.keys(others).length === 0) delete part["affinity"];
    else part["affinity"] = others;
  }
  return JSON.parse(JSON.stringify(part));
}

/** The places that differ, old and new, in order of their paths: `- containers[0].command: nil`. */
function difference(old: unknown, now: unknown, path = ""): readonly string[] {
  if (sameJson(old, now)) return [];
  if (!isComposite(old) || !isComposite(now)) return [`- ${path}: ${show(old)}`, `+ ${path}: ${show(now)}`];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const isList = Array.isArray(old);
  return keys.flatMap((key) => {
    const place = isList ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    return difference(old[key], now[key], place);
  });
}

function isComposite(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
  return value === undefined ? "nil" : JSON.stringify(value);
}
