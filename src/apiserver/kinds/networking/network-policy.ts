import { containsCidr } from "#addr/cidr";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "#kube/generated/types";
import { NETWORK_POLICIES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { CIDR_RULE, readCidr } from "../field/addresses.ts";
import { forbidden, invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { portNameProblems, validPort } from "../field/numbers.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { selectorText } from "../print/words.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP"];
const POLICY_TYPES = ["Ingress", "Egress"];

export const networkPolicies: KindSpec<NetworkPolicy> = kindSpec<NetworkPolicy>({
  resource: NETWORK_POLICIES,
  definition: "io.k8s.api.networking.v1.NetworkPolicy",
  shortNames: ["netpol"],
  generation: "spec",
  defaults: defaultPolicy,
  validate: validatePolicy,
  ...printer<NetworkPolicy>([
    nameColumn,
    text("Pod-Selector", ({ spec }) => selectorText(spec?.podSelector)),
    ageColumn,
  ]),
});

function defaultPolicy(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.podSelector ??= {};
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"];
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of rule?.ports ?? []) port.protocol ??= "TCP";
}

function validatePolicy({ spec }: NetworkPolicy): readonly FieldError[] {
  const errors = [...validateLabelSelector("spec.podSelector", spec?.podSelector)];
  (spec?.ingress ?? []).forEach((rule, i) => {
    errors.push(...validateRule(`spec.ingress[${i}]`, rule.ports, "from", rule.from));
  });
  (spec?.egress ?? []).forEach((rule, i) => {
    errors.push(...validateRule(`spec.egress[${i}]`, rule.ports, "to", rule.to));
  });
  if ((spec?.policyTypes ?? []).length > POLICY_TYPES.length)
    return [
      ...errors,
      invalid("spec.policyTypes", spec?.policyTypes, "may not specify more than two policyTypes"),
    ];
  (spec?.policyTypes ?? []).forEach((type, i) => {
    if (!POLICY_TYPES.includes(type)) errors.push(notSupported(`spec.policyTypes[${i}]`, type, POLICY_TYPES));
  });
  return errors;
}

function validateRule(
  path: string,
  ports: readonly NetworkPolicyPort[] | undefined,
  side: "from" | "to",
  peers: readonly NetworkPolicyPeer[] | undefined,
): readonly FieldError[] {
  return [
    ...(ports ?? []).flatMap((port, i) => validatePolicyPort(`${path}.ports[${i}]`, port)),
    ...(peers ?? []).flatMap((peer, i) => validatePeer(`${path}.${side}[${i}]`, peer)),
  ];
}

function validatePolicyPort(path: string, entry: NetworkPolicyPort): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { port, endPort, protocol } = entry;
  if (protocol !== undefined && !PROTOCOLS.includes(protocol))
    errors.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
  if (typeof port === "number") errors.push(...validPort(`${path}.port`, port));
  if (typeof port === "string")
    errors.push(...portNameProblems(port).map((why) => invalid(`${path}.port`, port, why)));
  if (endPort === undefined) return errors;
  if (port === undefined)
    errors.push(invalid(`${path}.endPort`, endPort, "may not be specified when `port` is not specified"));
  else if (typeof port === "string")
    errors.push(invalid(`${path}.endPort`, endPort, "may not be specified when `port` is non-numeric"));
  else if (endPort < port)
    errors.push(invalid(`${path}.endPort`, endPort, "must be greater than or equal to `port`"));
  else errors.push(...validPort(`${path}.endPort`, endPort));
  return errors;
}

function validatePeer(path: string, peer: NetworkPolicyPeer): readonly FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const errors = [
    ...validateLabelSelector(`${path}.podSelector`, podSelector),
    ...validateLabelSelector(`${path}.namespaceSelector`, namespaceSelector),
  ];
  if (ipBlock !== undefined) {
    errors.push(...validateBlock(`${path}.ipBlock`, ipBlock));
    if (podSelector !== undefined || namespaceSelector !== undefined)
      errors.push(forbidden(path, "may not specify both ipBlock and another peer"));
  } else if (podSelector === undefined && namespaceSelector === undefined)
    errors.push(required(path, "must specify a peer"));
  return errors;
}

function validateBlock(
  path: string,
  { cidr, except = [] }: { cidr: string; except?: readonly string[] | undefined },
): readonly FieldError[] {
  if (!cidr) return [required(`${path}.cidr`)];
  const outer = readCidr(cidr);
  if (outer === undefined) return [invalid(`${path}.cidr`, cidr, CIDR_RULE)];
  return except.flatMap((text, i) => {
    const at = `${path}.except[${i}]`;
    const inner = readCidr(text);
    if (inner === undefined) return [invalid(at, text, CIDR_RULE)];
    return inner !== outer && containsCidr(outer, inner)
      ? []
      : [invalid(at, text, "must be a strict subset of `cidr`")];
  });
}
