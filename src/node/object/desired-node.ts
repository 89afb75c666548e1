import type { Ip } from "#addr/ip";
import type {
  Node,
  NodeAddress,
  NodeCondition,
  NodeStatus,
  NodeSystemInfo,
  ObjectMeta,
  Taint,
} from "#kube/generated/types";
import type { Pressure } from "../pressure/signals.ts";
import type { RuntimeFeatures } from "../runtime/runtime.ts";

const MAX_IMAGES = 50;
const MAX_IMAGE_NAMES = 5;
const UNINITIALIZED: Taint = {
  key: "node.cloudprovider.kubernetes.io/uninitialized",
  value: "true",
  effect: "NoSchedule",
};

export interface NodeIdentity {
  readonly name: string;
  readonly arch: string;
  readonly nodeIps: readonly Ip[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** A cloud controller says what the node's addresses are; until it has, nothing is scheduled here. */
  readonly hasCloudProvider: boolean;
  /** What else is to stand on the Node, given what does. */
  readonly marks: (standing: ObjectMeta) => NodeMarks;
}

/** Labels and annotations; undefined: none of that name. */
export interface NodeMarks {
  readonly labels: Wanted;
  readonly annotations: Wanted;
}
type Wanted = Readonly<Record<string, string | undefined>>;

/** The Node as it is first registered. It has addresses from the start, and nobody's are written over later. */
export function desiredNode(identity: NodeIdentity): Node {
  const taints = [...identity.taints, ...(identity.hasCloudProvider ? [UNINITIALIZED] : [])];
  const { labels, annotations } = wantedMarks(identity, { name: identity.name });
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: identity.name, labels: present(labels), annotations: present(annotations) },
    spec: taints.length > 0 ? { taints } : {},
    status: { addresses: ownAddresses(identity) },
  };
}

/** What a patch must bring onto a Node that an earlier life registered: labels and annotations, never taints. */
export function adoptionPatch(identity: NodeIdentity, standing: Node): unknown {
  const wanted = wantedMarks(identity, standing.metadata);
  const labels = differing(wanted.labels, standing.metadata.labels);
  const annotations = differing(wanted.annotations, standing.metadata.annotations);
  return labels || annotations
    ? { metadata: { labels: labels ?? {}, annotations: annotations ?? {} } }
    : undefined;
}

/** Null is how a patch takes away. */
function differing(
  wanted: Wanted,
  standing: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string | null>> | undefined {
  const out = Object.entries(wanted).filter(([key, value]) => standing[key] !== value);
  return out.length === 0 ? undefined : Object.fromEntries(out.map(([key, value]) => [key, value ?? null]));
}

function present(wanted: Wanted): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(wanted).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function wantedMarks(identity: NodeIdentity, standing: ObjectMeta): NodeMarks {
  const { labels, annotations } = identity.marks(standing);
  return {
    labels: { ...nodeLabels(identity), ...labels },
    annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true", ...annotations },
  };
}

function nodeLabels({ name, arch, labels }: NodeIdentity): Record<string, string> {
  return {
    "beta.kubernetes.io/arch": arch,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": arch,
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    ...labels,
  };
}

export interface NodeState {
  readonly identity: NodeIdentity;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly info: NodeSystemInfo;
  /** What pods can run without a pull. */
  readonly images: readonly { readonly names: readonly string[]; readonly sizeBytes: number }[];
  readonly port: number;
  /** What its runtime can do; undefined of one that does not say. */
  readonly features?: RuntimeFeatures | undefined;
  /** What the node is short of. */
  readonly pressures: readonly Pressure[];
  /** Why pods cannot run here; none is Ready. */
  readonly complaints: readonly string[];
  /** False while this life of the agent still finds out what stands. */
  readonly isSure: boolean;
  /** RFC 3339, whole seconds. */
  readonly now: string;
}

/** Whether nothing should be said yet: the last life of the agent left a Ready node, and this one has complaints only because
 *  it has just begun to look. To take Ready back would take healthy pods out of their services. */
export function isTakingOver({ complaints, isSure, info }: NodeState, before: NodeStatus): boolean {
  const wasReady = before.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  const isSameBoot = before.nodeInfo?.bootID === info.bootID;
  return !isSure && complaints.length > 0 && isSameBoot && wasReady === true;
}

/** The Node's status; `before` gives the times of conditions that did not flip and what others wrote. Addresses that a cloud controller
 *  may have set are the very ones that stand. */
export function nodeStatus(state: NodeState, before: NodeStatus): NodeStatus {
  return {
    addresses: addresses(state.identity, before),
    capacity: state.capacity,
    allocatable: state.allocatable,
    conditions: conditions(state, before.conditions ?? []),
    daemonEndpoints: { kubeletEndpoint: { Port: state.port } },
    nodeInfo: state.info,
    images: images(state.images),
    ...runtimeParts(state.features),
  };
}

/** The largest, and of each the first names, digests before tags. */
function images(all: NodeState["images"]): NonNullable<NodeStatus["images"]> {
  const isTag = (name: string) => Number(!name.includes("@"));
  return [...all]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MAX_IMAGES)
    .map(({ names, sizeBytes }) => ({
      names: [...names].sort((a, b) => isTag(a) - isTag(b)).slice(0, MAX_IMAGE_NAMES),
      sizeBytes,
    }));
}

function runtimeParts(
  features: RuntimeFeatures | undefined,
): Pick<NodeStatus, "runtimeHandlers" | "features"> {
  const { handlers = [], supplementalGroupsPolicy } = features ?? {};
  const runtimeHandlers = [...handlers]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, recursiveReadOnlyMounts, userNamespaces }) => ({
      name,
      features: { recursiveReadOnlyMounts, userNamespaces },
    }));
  return {
    ...(runtimeHandlers.length > 0 ? { runtimeHandlers } : {}),
    ...(supplementalGroupsPolicy === undefined ? {} : { features: { supplementalGroupsPolicy } }),
  };
}

function addresses(identity: NodeIdentity, before: NodeStatus): readonly NodeAddress[] {
  const isOthers = identity.hasCloudProvider && before.addresses !== undefined && before.addresses.length > 0;
  return isOthers ? before.addresses : ownAddresses(identity);
}

function ownAddresses({ name, nodeIps }: NodeIdentity): readonly NodeAddress[] {
  return [
    ...nodeIps.map((address) => ({ type: "InternalIP", address })),
    { type: "Hostname", address: name },
  ];
}

type Row = [type: string, status: "True" | "False", reason: string, message: string];
type Words = readonly [reason: string, message: string];

const PRESSURES: readonly (readonly [type: Pressure, isShort: Words, isNot: Words])[] = [
  [
    "MemoryPressure",
    ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
    ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
  ],
  [
    "DiskPressure",
    ["KubeletHasDiskPressure", "kubelet has disk pressure"],
    ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
  ],
  [
    "PIDPressure",
    ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
    ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
  ],
];

function conditions(
  { complaints, pressures, now }: NodeState,
  before: readonly NodeCondition[],
): readonly NodeCondition[] {
  const isReady = complaints.length === 0;
  const rows: readonly Row[] = [
    ...PRESSURES.map(([type, yes, no]) => {
      const isShort = pressures.includes(type);
      const [reason, message] = isShort ? yes : no;
      return [type, isShort ? "True" : "False", reason, message] satisfies Row;
    }),
    isReady
      ? ["Ready", "True", "KubeletReady", "kubelet is posting ready status"]
      : ["Ready", "False", "KubeletNotReady", complaints.join(", ")],
  ];
  const own = rows.map(([type, status, reason, message]) => {
    const old = before.find((other) => other.type === type);
    const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime };
  });
  const types = new Set(rows.map(([type]) => type));
  return [...before.filter(({ type }) => !types.has(type)), ...own];
}
