/** What is to be written to a Node so that it says what its machine is. Pure: a Node in, a decision out. */
import { isDeepStrictEqual } from "node:util";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import type { Node, NodeAddress, Taint } from "#kube/generated/types";
import { MACHINE_LABELS, PROVIDED_IP, SHUTDOWN_TAINT, UNINITIALIZED_TAINT } from "../names.ts";
import { type Instance, type Problem, readInstance } from "./instance.ts";
import { shown } from "./read-list.ts";

export interface NodePlan {
  /** In place of those that stand; undefined where they are right, or somebody else's. */
  readonly addresses: readonly NodeAddress[] | undefined;
  /** The Node in place of the one that stands, in one update; undefined where that is right. */
  readonly node: Node | undefined;
  /** The update takes away what keeps pods from the Node. */
  readonly initializes: boolean;
  readonly problems: readonly Problem[];
  /** The Node waits for an agent to tell of its machine. */
  readonly isWaiting: boolean;
}

/** A Node with the taint becomes what its machine is, and loses the taint; one without keeps its addresses in step with what its agent
 *  says. What nobody announces is left alone: it is some other controller's, or was never ours.
 *  @see k8s.io/cloud-provider controllers/node/node_controller.go */
export function planNode(node: Node): NodePlan {
  const isNew = hasTaint(node, UNINITIALIZED_TAINT);
  const reading = readInstance(node);
  const changed = withLabelsInStep(withoutShutdown(node));
  const rest = { node: changed === node ? undefined : changed, initializes: false };
  if (reading.kind === "unannounced")
    return { ...rest, addresses: undefined, problems: [], isWaiting: isNew };
  if (reading.kind === "bad")
    return { ...rest, addresses: undefined, problems: reading.problems, isWaiting: false };
  const { instance } = reading;
  const found = addressesOf(node, instance);
  const problems = [...reading.problems, ...found.problems];
  if (found.problems.length > 0) return { ...rest, addresses: undefined, problems, isWaiting: false };
  const addresses = isDeepStrictEqual(node.status?.addresses, found.addresses) ? undefined : found.addresses;
  if (!isNew) return { ...rest, addresses, problems, isWaiting: false };
  return { addresses, node: initialized(changed, instance), initializes: true, problems, isWaiting: false };
}

interface Found {
  readonly addresses: readonly NodeAddress[];
  readonly problems: readonly Problem[];
}

/** The machine's, and the name that the kubelet gave where the machine has none. Of the types in which the kubelet was told an
 *  address, that one alone, and first. */
function addressesOf({ metadata, status }: Node, instance: Instance): Found {
  const hasName = instance.addresses.some(({ type }) => type === "Hostname");
  const standing = hasName ? [] : (status?.addresses ?? []).filter(({ type }) => type === "Hostname");
  const all = [...instance.addresses, ...standing];
  const provided = metadata.annotations?.[PROVIDED_IP];
  if (provided === undefined) return { addresses: all, problems: [] };
  const told = readProvided(provided);
  if (typeof told === "string") return { addresses: [], problems: [`annotation ${PROVIDED_IP}: ${told}`] };
  const missing = told.find((ip) => !all.some(({ address }) => address === ip));
  if (missing !== undefined) {
    const has = all.flatMap(({ address }) => (isIp(address) ? [address] : [])).join(", ");
    return {
      addresses: [],
      problems: [`annotation ${PROVIDED_IP}: the machine has no ${missing}, but ${has}`],
    };
  }
  const first = told.flatMap((ip) => all.filter(({ address }) => address === ip));
  const types = new Set(first.map(({ type }) => type));
  return { addresses: [...first, ...all.filter(({ type }) => !types.has(type))], problems: [] };
}

/** One address, or one of each family; else what is wrong. @see k8s.io/component-helpers node/util/ips.go */
function readProvided(text: string): readonly Ip[] | string {
  const items = text.split(",", 3);
  const ips = items.filter(isIp).map(parseIp);
  const bad = items.find((item) => !isIp(item));
  if (bad !== undefined) return `${shown(bad)} is not an IP address`;
  if (ips.length > 2 || (ips.length === 2 && new Set(ips.map(familyOf)).size === 1))
    return `${shown(text)} is neither one address nor one of each family`;
  return ips;
}

/** Everything in one update, so that nobody finds a Node that is ready for pods and does not say what it is. */
function initialized(node: Node, { providerId, type, region, zone }: Instance): Node {
  const { instanceType, region: regions, zone: zones } = MACHINE_LABELS;
  const labels = Object.fromEntries(
    (
      [
        [instanceType, type],
        [regions, region],
        [zones, zone],
      ] as const
    ).flatMap(([{ stable, old }, value]) =>
      value === undefined ? [] : [[stable, value] as const, [old, value] as const],
    ),
  );
  return {
    ...node,
    metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } },
    spec: {
      ...node.spec,
      providerID: node.spec?.providerID || providerId,
      taints: taintsWithout(node, UNINITIALIZED_TAINT),
    },
  };
}

/** An older label that stands wins over the newer one, which not all know yet. The very same Node where nothing changes. */
function withLabelsInStep(node: Node): Node {
  const { labels = {} } = node.metadata;
  const late = Object.values(MACHINE_LABELS).flatMap(({ stable, old }) => {
    const value = labels[old];
    return value === undefined || labels[stable] === value ? [] : [[stable, value] as const];
  });
  if (late.length === 0) return node;
  return { ...node, metadata: { ...node.metadata, labels: { ...labels, ...Object.fromEntries(late) } } };
}

/** A machine that is Ready is not switched off, whoever said so. Machines of this provider never are, and never go away. */
function withoutShutdown(node: Node): Node {
  const isReady = node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  if (!isReady || !hasTaint(node, SHUTDOWN_TAINT)) return node;
  return { ...node, spec: { ...node.spec, taints: taintsWithout(node, SHUTDOWN_TAINT) } };
}

function hasTaint({ spec }: Node, key: string): boolean {
  return spec?.taints?.some((taint) => taint.key === key) ?? false;
}

function taintsWithout({ spec }: Node, key: string): readonly Taint[] {
  return (spec?.taints ?? []).filter((taint) => taint.key !== key);
}
