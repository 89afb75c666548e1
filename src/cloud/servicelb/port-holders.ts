import type { Pod } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { serviceKeyOf } from "./names.ts";

/** A port of a node that somebody else has. */
export interface TakenPort {
  readonly port: number;
  readonly protocol: string;
  /** Such as `Service default/web` or `pod default/proxy`. */
  readonly holder: string;
  readonly nodes: readonly string[];
}

const MOST_NAMES = 5;

/** Which ports keep these pods of one Service from their nodes, and who has them. `waiting`: pods that no node takes. */
export function takenPorts(
  waiting: readonly Pod[],
  podsOn: (node: string) => readonly Pod[],
): readonly TakenPort[] {
  const found = new Map<string, TakenPort & { readonly nodes: string[] }>();
  for (const pod of waiting) {
    const node = targetNode(pod);
    if (node === undefined) continue;
    for (const other of podsOn(node)) {
      if (isOver(other) || (serviceKeyOf(other) ?? "") === serviceKeyOf(pod)) continue;
      for (const { port, protocol } of commonPorts(pod, other)) {
        const holder = holderOf(other);
        const key = `${port}/${protocol}/${holder}`;
        const taken = found.get(key) ?? { port, protocol, holder, nodes: [] };
        if (!taken.nodes.includes(node)) taken.nodes.push(node);
        found.set(key, taken);
      }
    }
  }
  const taken = [...found.values()].map((each) => ({ ...each, nodes: each.nodes.toSorted() }));
  return taken.sort((a, b) => a.port - b.port || (a.holder < b.holder ? -1 : 1));
}

/** One sentence, such as `port 80/TCP is held by Service default/web on nodes a, b`. */
export function formatTaken(taken: readonly TakenPort[]): string {
  const each = taken.map(({ port, protocol, holder, nodes }) => {
    const where = nodes.length === 1 ? `node ${nodes[0]}` : `nodes ${some(nodes)}`;
    return `port ${port}/${protocol} is held by ${holder} on ${where}`;
  });
  return some(each, "; ");
}

/** The node that a DaemonSet's pod was made for. */
export function targetNode({ spec }: Pod): string | undefined {
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const field = terms?.[0]?.matchFields?.find(({ key }) => key === "metadata.name");
  return field?.values?.[0];
}

/** The scheduler tried to place the pod, and could not. */
export function isWaiting({ metadata, spec, status }: Pod): boolean {
  if (spec?.nodeName || metadata.deletionTimestamp) return false;
  return (
    status?.conditions?.some(({ type, status: is }) => type === "PodScheduled" && is === "False") ?? false
  );
}

export function holdsPorts({ spec }: Pod): boolean {
  return portsOf({ spec }).length > 0;
}

function holderOf(pod: Pod): string {
  const service = serviceKeyOf(pod);
  return service ? `Service ${service}` : `pod ${keyOf(pod)}`;
}

function isOver({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Pods of ServiceLB take their ports at all addresses of the node: whoever has one at any is in the way. */
function commonPorts(pod: Pod, other: Pod): readonly { readonly port: number; readonly protocol: string }[] {
  const theirs = new Set(portsOf(other).map(({ port, protocol }) => `${port}/${protocol}`));
  return portsOf(pod).filter(({ port, protocol }) => theirs.has(`${port}/${protocol}`));
}

function portsOf({ spec }: Pick<Pod, "spec">) {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ hostPort, protocol = "TCP" }) =>
      hostPort ? [{ port: hostPort, protocol }] : [],
    ),
  );
}

function some(texts: readonly string[], separator = ", "): string {
  const rest = texts.length - MOST_NAMES;
  const shown = texts.slice(0, MOST_NAMES).join(separator);
  return rest > 0 ? `${shown}${separator}and ${rest} more` : shown;
}
