import type { Node } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { duplicate, forbidden, invalid, notSupported } from "../field/error.ts";
import { labelValueProblems, qualifiedNameProblems } from "../field/names.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { joined, NONE } from "../print/words.ts";

const ROLE_PREFIX = "node-role.kubernetes.io/";
const ROLE_LABEL = "kubernetes.io/role";
const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export const nodes: KindSpec<Node> = kindSpec<Node>({
  resource: NODES,
  definition: "io.k8s.api.core.v1.Node",
  shortNames: ["no"],
  hasStatus: true,
  defaults: defaultNode,
  validate: validateNode,
  validateUpdate,
  selectableFields: ({ spec }) => ({ "spec.unschedulable": String(spec?.unschedulable ?? false) }),
  ...printer<Node>([
    nameColumn,
    text("Status", statusText),
    text("Roles", rolesText),
    ageColumn,
    text("Version", ({ status }) => status?.nodeInfo?.kubeletVersion ?? ""),
    wide("Internal-IP", (node) => addressText(node, "InternalIP")),
    wide("External-IP", (node) => addressText(node, "ExternalIP")),
    wide("OS-Image", ({ status }) => status?.nodeInfo?.osImage || "<unknown>"),
    wide("Kernel-Version", ({ status }) => status?.nodeInfo?.kernelVersion || "<unknown>"),
    wide("Container-Runtime", ({ status }) => status?.nodeInfo?.containerRuntimeVersion || "<unknown>"),
  ]),
});

function defaultNode(draft: Draft): void {
  draft.spec ??= {};
  const { capacity, allocatable } = draft.status ?? {};
  if (capacity && (!allocatable || Object.keys(allocatable).length === 0))
    draft.status.allocatable = { ...capacity };
  // two spellings of one fact: the first subnet, and all of them; the first one rules
  const { podCIDR, podCIDRs } = draft.spec;
  if (podCIDR && podCIDRs?.[0] !== podCIDR) draft.spec.podCIDRs = [podCIDR];
  else if (podCIDRs?.length && !podCIDR) draft.spec.podCIDR = podCIDRs[0];
}

function statusText({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const word = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

function rolesText({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length)
      return [key.slice(ROLE_PREFIX.length)];
    return key === ROLE_LABEL && value !== "" ? [value] : [];
  });
  return joined([...new Set(roles)].sort());
}

function addressText({ status }: Node, wanted: string): string {
  return status?.addresses?.find(({ type }) => type === wanted)?.address ?? NONE;
}

function validateNode({ spec }: Node): readonly FieldError[] {
  const seen = new Set<string>();
  return (spec?.taints ?? []).flatMap((taint, i) => {
    const path = `spec.taints[${i}]`;
    const errors = qualifiedNameProblems(taint.key).map((why) => invalid(`${path}.key`, taint.key, why));
    errors.push(
      ...labelValueProblems(taint.value ?? "").map((why) => invalid(`${path}.value`, taint.value, why)),
    );
    if (!EFFECTS.includes(taint.effect)) errors.push(notSupported(`${path}.effect`, taint.effect, EFFECTS));
    const id = `${taint.key}:${taint.effect}`;
    if (seen.has(id)) errors.push(duplicate(path, taint));
    seen.add(id);
    return errors;
  });
}

function validateUpdate({ spec }: Node, { spec: before }: Node): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (before?.podCIDRs?.length && !sameJson(spec?.podCIDRs, before.podCIDRs))
    errors.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  if (before?.providerID && spec?.providerID !== before.providerID)
    errors.push(
      forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'),
    );
  return errors;
}
