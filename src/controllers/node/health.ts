import type { Lease, Node, NodeCondition, Taint } from "#kube/generated/types";
import { formatTime, parseTime } from "../time.ts";

export const GRACE_MS = 50_000;
export const STARTUP_GRACE_MS = 60_000;
export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

/** When a node last gave a sign of life, by our own clock: remote clocks are not compared with it. */
export class Heartbeats {
  readonly #seen = new Map<string, { sign: string; at: number }>();

  /** Takes note of what is seen now; a changed sign is life. */
  observe(node: Node, lease: Lease | undefined, now: number): void {
    const beats = (node.status?.conditions ?? []).map(
      ({ type, lastHeartbeatTime }) => `${type}=${lastHeartbeatTime}`,
    );
    const sign = `${beats.join()}|${lease?.spec?.renewTime ?? ""}`;
    const before = this.#seen.get(node.metadata.name);
    if (before?.sign !== sign) this.#seen.set(node.metadata.name, { sign, at: now });
  }

  /** Milliseconds left until the node counts as silent; 0 or less when it does. */
  leftMs(node: Node, now: number): number {
    const hasSpoken = readyOf(node)?.lastHeartbeatTime !== undefined;
    const at = this.#seen.get(node.metadata.name)?.at ?? now;
    const start = hasSpoken ? at : Math.min(at, parseTime(node.metadata.creationTimestamp) || at);
    return start + (hasSpoken ? GRACE_MS : STARTUP_GRACE_MS) - now;
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }
}

export function readyOf(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find(({ type }) => type === "Ready");
}

export function isNodeReady(node: Node): boolean {
  return readyOf(node)?.status === "True";
}

/** The conditions of a node that fell silent; the very same list when it already says so. */
export function silencedConditions(
  conditions: readonly NodeCondition[],
  now: number,
): readonly NodeCondition[] {
  const time = formatTime(now);
  const known = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
  const missing = known.filter((type) => !conditions.some((condition) => condition.type === type));
  const changed = conditions.map((condition) => {
    if (!known.includes(condition.type) || condition.status === "Unknown") return condition;
    const reason = "NodeStatusUnknown";
    const message = "Kubelet stopped posting node status.";
    return { ...condition, status: "Unknown", reason, message, lastTransitionTime: time };
  });
  const added = missing.map((type) => ({
    type,
    status: "Unknown",
    reason: "NodeStatusNeverUpdated",
    message: "Kubelet never posted node status.",
    lastTransitionTime: time,
  }));
  const isSame = added.length === 0 && changed.every((condition, i) => condition === conditions[i]);
  return isSame ? conditions : [...changed, ...added];
}

const PRESSURES: readonly (readonly [condition: string, status: string, key: string])[] = [
  ["Ready", "False", NOT_READY],
  ["Ready", "Unknown", UNREACHABLE],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";
const OURS = new Set([...PRESSURES.map(([, , key]) => key), UNSCHEDULABLE]);

/** The node's taints as its conditions call for; undefined when they are right. `mayEvict` says whether a node that is not
 *  ready gets the taint that drives pods away now. */
export function desiredTaints(node: Node, mayEvict: boolean, now: number): readonly Taint[] | undefined {
  const stored = node.spec?.taints ?? [];
  const conditions = node.status?.conditions ?? [];
  const wanted: Taint[] = [];
  for (const [type, status, key] of PRESSURES) {
    if (!conditions.some((condition) => condition.type === type && condition.status === status)) continue;
    wanted.push({ key, effect: "NoSchedule" });
    if (type === "Ready" && mayEvict) wanted.push({ key, effect: "NoExecute" });
  }
  if (node.spec?.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" });
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const kept = stored.filter((taint) => !OURS.has(taint.key) || wanted.some((other) => same(other, taint)));
  const added = wanted.filter((taint) => !stored.some((other) => same(other, taint)));
  if (kept.length === stored.length && added.length === 0) return undefined;
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: formatTime(now) }))];
}

/** Whether a taint drives this node's pods away because the node is not ready. */
export function hasEvictionTaint(node: Node): boolean {
  return (node.spec?.taints ?? []).some(
    ({ key, effect }) => effect === "NoExecute" && (key === NOT_READY || key === UNREACHABLE),
  );
}
