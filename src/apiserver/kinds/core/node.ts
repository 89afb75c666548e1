import type { Node, NodeSystemInfo } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { validCidr } from "../field/addresses.ts";
import { duplicate, forbidden, invalid } from "../field/error.ts";
import { validateAmounts } from "../field/resources.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { validateTaints } from "../pod/toleration-validation.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { joined, NONE } from "../print/words.ts";

const ROLE_PREFIX = "node-role.kubernetes.io/";
const ROLE_LABEL = "kubernetes.io/role";

export const nodes: KindSpec<Node> = kindSpec<Node>({
  resource: NODES,
  definition: "io.k8s.api.core.v1.Node",
  shortNames: ["no"],
  hasStatus: true,
  defaults: defaultNode,
  validate: validateNode,
  validateUpdate,
  validatePart: (_part, node, stored) => [...validateNode(node), ...validateUpdate(node, stored)],
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
    wide("Kernel-Version", ({ status }) => kernelOf(status?.nodeInfo)),
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

function validateNode({ spec, status }: Node): readonly FieldError[] {
  return [
    ...validateTaints("metadata.taints", spec?.taints),
    ...validateAmounts("status.capacity", status?.capacity, "node"),
    ...validateAmounts("status.allocatable", status?.allocatable, "node"),
    ...validateSubnets("spec.podCIDRs", spec?.podCIDRs ?? []),
  ];
}

/** At most one subnet of each family, none twice. */
function validateSubnets(path: string, subnets: readonly string[]): readonly FieldError[] {
  const errors = subnets.flatMap((text, i) => validCidr(`${path}[${i}]`, text));
  if (errors.length > 0 || subnets.length < 2) return errors;
  const families = new Set(subnets.map((text) => text.includes(":")));
  if (families.size !== subnets.length)
    errors.push(invalid(path, subnets, "may specify no more than one CIDR for each IP family"));
  subnets.forEach((text, i) => {
    if (subnets.indexOf(text) < i) errors.push(duplicate(`${path}[${i}]`, text));
  });
  return errors;
}

function validateAddresses({ status }: Node): readonly FieldError[] {
  const seen = new Set<string>();
  return (status?.addresses ?? []).flatMap((address, i) => {
    const key = `${address.type} ${address.address}`;
    const isRepeated = seen.has(key);
    seen.add(key);
    return isRepeated ? [duplicate(`status.addresses[${i}]`, address)] : [];
  });
}

function validateUpdate(node: Node, { spec: before }: Node): readonly FieldError[] {
  const { spec } = node;
  const errors: FieldError[] = [...validateAddresses(node)];
  if (before?.podCIDRs?.length && !sameJson(spec?.podCIDRs, before.podCIDRs))
    errors.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  if (before?.providerID && spec?.providerID !== before.providerID)
    errors.push(
      forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'),
    );
  if ((spec?.externalID ?? "") !== (before?.externalID ?? ""))
    errors.push(forbidden("spec.externalID", "may not be updated"));
  return errors;
}

/** Such as `6.1.0 (amd64)`. */
function kernelOf(info: NodeSystemInfo | undefined): string {
  const version = info?.kernelVersion || "<unknown>";
  return info?.architecture ? `${version} (${info.architecture})` : version;
}
