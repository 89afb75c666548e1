import type { Node, NodeAddress } from "#kube/generated/types";
import { MACHINE_LABELS, NODE_ANNOTATIONS, PROVIDER } from "../names.ts";
import { readHostName, readList, readNodeIp } from "./read-list.ts";

/** The machine behind a Node, as its agent has told of it. */
export interface Instance {
  /** Such as `k3s://node-1`. */
  readonly providerId: string;
  readonly type: string;
  readonly region: string | undefined;
  readonly zone: string | undefined;
  /** In K3s's order: internal, external, their names, the host name. */
  readonly addresses: readonly NodeAddress[];
}

/** What is wrong with an annotation or label of a Node; one sentence. */
export type Problem = string;

export type InstanceReading =
  /** No agent has told of this machine: K3s would say "address annotations not yet set". */
  | { readonly kind: "unannounced" }
  | { readonly kind: "bad"; readonly problems: readonly Problem[] }
  | { readonly kind: "good"; readonly instance: Instance; readonly problems: readonly Problem[] };

/** The annotations, the type of address each gives, and what a value of it is. Those that once were labels still may be. */
const SOURCES = [
  { key: NODE_ANNOTATIONS.internalIp, type: "InternalIP", read: readNodeIp, isLabel: true },
  { key: NODE_ANNOTATIONS.externalIp, type: "ExternalIP", read: readNodeIp, isLabel: true },
  { key: NODE_ANNOTATIONS.internalDns, type: "InternalDNS", read: readHostName, isLabel: false },
  { key: NODE_ANNOTATIONS.externalDns, type: "ExternalDNS", read: readHostName, isLabel: false },
  { key: NODE_ANNOTATIONS.hostname, type: "Hostname", read: readHostName, isLabel: true },
] as const;

/** Reads what a Node says of its machine. What is bad is left out and told; without any address of its own there is no instance.
 *  @see K3s pkg/cloudprovider/instances.go */
export function readInstance({ metadata, spec }: Node): InstanceReading {
  const { name, annotations = {}, labels = {} } = metadata;
  const addresses: NodeAddress[] = [];
  const problems: Problem[] = [];
  for (const { key, type, read, isLabel } of SOURCES) {
    const own = annotations[key];
    const text = own || (isLabel ? labels[key] : undefined) || "";
    if (type === "InternalIP" && text === "") return { kind: "unannounced" };
    const found = readList<string>(text, read);
    addresses.push(...found.values.map((address) => ({ type, address })));
    problems.push(...found.problems.map((why) => `${own ? "annotation" : "label"} ${key}: ${why}`));
  }
  if (!addresses.some(({ type }) => type === "InternalIP")) return { kind: "bad", problems };
  const instance: Instance = {
    providerId: spec?.providerID || `${PROVIDER}://${name}`,
    type: labels[MACHINE_LABELS.instanceType.stable] || PROVIDER,
    region: labels[MACHINE_LABELS.region.stable] || undefined,
    zone: labels[MACHINE_LABELS.zone.stable] || undefined,
    addresses,
  };
  return { kind: "good", instance, problems };
}
