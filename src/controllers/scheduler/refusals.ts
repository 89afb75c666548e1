import type { Refusal } from "./filters/candidate.ts";

const MAX_NOTE = 1024;

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function formatRefusals(refusals: readonly Refusal[]): string {
  const reasons = countReasons(refusals.flatMap((refusal) => refusal.reasons));
  return `0/${refusals.length} nodes are available: ${reasons}.`;
}

/** Counted, and sorted as text: that is how kube-scheduler prints them. */
export function countReasons(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

/** Events hold no more than this. */
export function cutNote(message: string): string {
  return message.length > MAX_NOTE ? `${message.slice(0, MAX_NOTE - 4)} ...` : message;
}
