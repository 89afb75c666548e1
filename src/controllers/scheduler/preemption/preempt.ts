import type { PodDisruptionBudget } from "#kube/generated/types";
import type { DecideOptions, NoNode } from "../decide.ts";
import type { NodeView } from "../node-view.ts";
import { type PodInfo, startOf } from "../pod-info.ts";
import { countReasons } from "../refusals.ts";
import { type Victims, victimsOn } from "./victims.ts";

export interface PreemptOptions extends DecideOptions {
  readonly budgets: readonly PodDisruptionBudget[];
  readonly now: number;
  /** Whether the pod is on its way out because this scheduler sent it away. */
  readonly isLeaving: (info: PodInfo) => boolean;
}

export type Preemption =
  | { readonly kind: "victims"; readonly nodeName: string; readonly victims: readonly PodInfo[] }
  | {
      readonly kind: "none";
      /** Why not, as kube-scheduler adds it to its message. */
      readonly note: string;
      /** The pod no longer waits for the node it was nominated to. */
      readonly isHopeless: boolean;
    };

const MIN_CANDIDATES = 100;
/** A pod whose volumes rule out every node is told no more: kube-scheduler has not looked at its device claims then, and finds none. */
const NOTHING_KNOWN = "not found";
/** Claims to devices are asked before preemption is, and nobody has any. */
const NOTHING_CLAIMED = "no new claims to deallocate, preemption: ";
const NOT_HELPFUL = "Preemption is not helpful for scheduling";

/** Which less important pods have to go, and where, for the pod to fit: as few and as unimportant ones as can be. */
export function planPreemption(info: PodInfo, failed: NoNode, options: PreemptOptions): Preemption {
  const { cluster } = options;
  const { candidate, refusals } = failed;
  if (candidate === undefined) return { kind: "none", note: NOTHING_KNOWN, isHopeless: false };
  const reason = ineligible(info, failed, options);
  if (reason !== undefined) return { kind: "none", note: `${NOTHING_CLAIMED}${reason}`, isHopeless: false };
  const hopeful = [...refusals].filter(([, { isFinal }]) => !isFinal).map(([view]) => view);
  const reasons = new Array<string>(cluster.size - hopeful.length).fill(NOT_HELPFUL);
  const found: Victims[] = [];
  const enough = Math.min(hopeful.length, Math.max(MIN_CANDIDATES, Math.floor(hopeful.length / 10)));
  const offset = Math.floor(options.random() * hopeful.length);
  for (let i = 0; i < hopeful.length && !isEnough(found, enough); i++) {
    const view = hopeful[(offset + i) % hopeful.length];
    if (view === undefined) continue;
    const victims = victimsOn(candidate, view, options);
    if ("plugin" in victims) reasons.push(...victims.reasons);
    else found.push(victims);
  }
  const chosen = chooseVictims(found, options.now);
  if (chosen) return { kind: "victims", nodeName: chosen.view.name, victims: chosen.pods };
  const note = `${NOTHING_CLAIMED}0/${cluster.size} nodes are available: ${countReasons(reasons)}.`;
  return { kind: "none", note, isHopeless: true };
}

/** Fewest broken budgets; then the least important top victim, the smallest sum of priorities, the fewest pods, and the one whose most
 *  important victims started last. */
export function chooseVictims(found: readonly Victims[], now: number): Victims | undefined {
  const rank = ({ violations, pods }: Victims): readonly number[] => {
    const top = pods[0]?.priority ?? Number.NEGATIVE_INFINITY;
    // Priorities may be below zero; shifted, a sum grows with each pod.
    const sum = pods.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
    const starts = pods.filter(({ priority }) => priority === top).map((pod) => startOf(pod, now));
    return [violations, top, sum, pods.length, -Math.min(...starts)];
  };
  return found
    .map((victims) => ({ victims, rank: rank(victims) }))
    .reduce<{ victims: Victims; rank: readonly number[] } | undefined>(
      (best, next) => (best === undefined || isLess(next.rank, best.rank) ? next : best),
      undefined,
    )?.victims;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    if (value !== other) return value < other;
  }
  return false;
}

function isEnough(found: readonly Victims[], enough: number): boolean {
  return found.length >= enough && found.some(({ violations }) => violations === 0);
}

function ineligible(
  info: PodInfo,
  { refusals }: NoNode,
  { cluster, isLeaving }: PreemptOptions,
): string | undefined {
  if (info.pod.spec?.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  const nominated: NodeView | undefined = cluster.node(info.pod.status?.nominatedNodeName ?? "");
  if (nominated === undefined || refusals.get(nominated)?.isFinal) return undefined;
  const isMaking = [...nominated.pods.values()].some(
    (other) => other.priority < info.priority && isLeaving(other),
  );
  return isMaking ? "not eligible due to a terminating pod on the nominated node." : undefined;
}
