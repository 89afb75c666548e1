import type { LabelSelector, Node, Pod, PodAffinityTerm, Taint, Toleration } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";

/** The hard rules in their plainest form, with no thought for speed and sharing no code with the scheduler. Only what `random-cluster.ts`
 *  makes is covered. */
export interface State {
  readonly nodes: readonly Node[];
  /** Pods on nodes. */
  readonly pods: readonly Pod[];
}

/** The first rule that keeps the pod off the node; undefined when none does. */
export function brokenRule(pod: Pod, node: Node, state: State): string | undefined {
  const here = state.pods.filter(({ spec }) => spec?.nodeName === node.metadata.name);
  if (node.spec?.unschedulable) return "unschedulable";
  if ((node.spec?.taints ?? []).some((taint) => repels(taint, pod.spec?.tolerations ?? []))) return "taint";
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {}))
    if (node.metadata.labels?.[key] !== value) return "selector";
  if (here.length + 1 > Number(node.status?.allocatable?.["pods"])) return "pods";
  const used = [...here, pod].reduce((sum, each) => sum + cpuOf(each), 0);
  if (cpuOf(pod) > 0 && used > milliOf(node.status?.allocatable?.["cpu"])) return "cpu";
  if (here.some((other) => portsOf(other).some((a) => portsOf(pod).some((b) => collide(a, b)))))
    return "port";
  return brokenSpread(pod, node, state) ?? brokenAffinity(pod, node, state);
}

export function canRun(pod: Pod, state: State): boolean {
  return state.nodes.some((node) => brokenRule(pod, node, state) === undefined);
}

function repels({ key, value = "", effect }: Taint, tolerations: readonly Toleration[]): boolean {
  if (effect === "PreferNoSchedule") return false;
  return !tolerations.some(
    (each) => each.key === key && (!each.effect || each.effect === effect) && (each.value ?? "") === value,
  );
}

function cpuOf({ spec }: Pod): number {
  return (spec?.containers ?? []).reduce((sum, each) => sum + milliOf(each.resources?.requests?.["cpu"]), 0);
}

function portsOf({ spec }: Pod) {
  return (spec?.containers ?? []).flatMap(({ ports = [] }) => ports.filter(({ hostPort }) => hostPort));
}

type Port = ReturnType<typeof portsOf>[number];

function collide(a: Port, b: Port): boolean {
  const isSameIp = !a.hostIP || !b.hostIP || a.hostIP === b.hostIP;
  return a.hostPort === b.hostPort && (a.protocol ?? "TCP") === (b.protocol ?? "TCP") && isSameIp;
}

function brokenSpread(pod: Pod, node: Node, { nodes, pods }: State): string | undefined {
  const hard = (pod.spec?.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule",
  );
  const hasAll = (each: Node) => hard.every(({ topologyKey }) => each.metadata.labels?.[topologyKey]);
  for (const { topologyKey, maxSkew, minDomains = 1, labelSelector = {} } of hard) {
    const eligible = nodes.filter((each) => hasAll(each) && isSelected(pod, each));
    const counts = new Map<string, number>();
    for (const each of eligible) {
      const domain = each.metadata.labels?.[topologyKey] ?? "";
      const matching = pods.filter(
        (other) =>
          other.spec?.nodeName === each.metadata.name &&
          other.metadata.namespace === pod.metadata.namespace &&
          !other.metadata.deletionTimestamp &&
          selects(labelSelector, other),
      );
      counts.set(domain, (counts.get(domain) ?? 0) + matching.length);
    }
    const domain = node.metadata.labels?.[topologyKey];
    if (domain === undefined) return "spread label";
    const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
    const after = (counts.get(domain) ?? 0) + (selects(labelSelector, pod) ? 1 : 0);
    if (after - least > maxSkew) return "spread";
  }
  return undefined;
}

function brokenAffinity(pod: Pod, node: Node, { nodes, pods }: State): string | undefined {
  const domainOf = (nodeName: string | undefined, key: string) =>
    nodes.find(({ metadata }) => metadata.name === nodeName)?.metadata.labels?.[key];
  const isBeside = (other: Pod, key: string) => {
    const domain = node.metadata.labels?.[key];
    return domain !== undefined && domainOf(other.spec?.nodeName, key) === domain;
  };
  const wanted = affinityOf(pod);
  const fitting = pods.filter((other) => wanted.every((term) => means(term, pod, other)));
  for (const { topologyKey } of wanted) if (!node.metadata.labels?.[topologyKey]) return "affinity label";
  if (!wanted.every(({ topologyKey }) => fitting.some((other) => isBeside(other, topologyKey)))) {
    const isAlone = !fitting.some((other) =>
      wanted.some(({ topologyKey }) => domainOf(other.spec?.nodeName, topologyKey) !== undefined),
    );
    if (!isAlone || !wanted.every((term) => means(term, pod, pod))) return "affinity";
  }
  for (const other of pods) {
    if (antiAffinityOf(pod).some((term) => isBeside(other, term.topologyKey) && means(term, pod, other)))
      return "anti-affinity";
    if (antiAffinityOf(other).some((term) => isBeside(other, term.topologyKey) && means(term, other, pod)))
      return "other's anti-affinity";
  }
  return undefined;
}

export function antiAffinityOf({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

function affinityOf({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

function means({ labelSelector, namespaces }: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const allowed = namespaces ?? [owner.metadata.namespace];
  return (
    labelSelector !== undefined &&
    allowed.includes(other.metadata.namespace ?? "") &&
    selects(labelSelector, other)
  );
}

function isSelected(pod: Pod, node: Node): boolean {
  return Object.entries(pod.spec?.nodeSelector ?? {}).every(
    ([key, value]) => node.metadata.labels?.[key] === value,
  );
}

function selects({ matchLabels = {} }: LabelSelector, { metadata }: Pod): boolean {
  return Object.entries(matchLabels).every(([key, value]) => metadata.labels?.[key] === value);
}
