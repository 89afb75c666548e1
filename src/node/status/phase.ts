import { type ContainerView, isRunning, type PodView, restartPolicyOf, restarts } from "./run-view.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

/** The pod's phase, from its containers alone. `isTerminating` is the last word: nothing will run again.
 *  @see kubelet_pods.go getPhase */
export function podPhase({ pod, containers }: PodView, { isTerminating }: { isTerminating: boolean }): Phase {
  const regular = containers.filter((view) => view.kind === "regular");
  const before = containers.filter((view) => view.kind !== "regular");
  const hasBegun = regular.some((view) => view.current !== undefined);
  if (before.some((view) => hasFailedForGood(view, pod) && view.kind === "init")) return "Failed";
  if (!hasBegun && !isTerminating && before.some(isPending)) return "Pending";
  if (regular.some((view) => view.current === undefined)) return isTerminating ? "Failed" : "Pending";
  if (regular.some(isRunning)) return "Running";
  const ended = regular.flatMap((view) => (view.current?.exit ? [{ view, exit: view.current.exit }] : []));
  const isClean = ended.every(({ exit }) => exit.code === 0);
  if (isTerminating) return isClean ? "Succeeded" : "Failed";
  if (ended.some(({ view, exit }) => restarts(restartPolicyOf(view, pod), exit.code))) return "Running";
  return isClean ? "Succeeded" : "Failed";
}

export function isTerminal(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

function isPending(view: ContainerView): boolean {
  if (view.kind === "sidecar") return !isRunning(view) || !view.isStarted;
  return view.current?.exit?.code !== 0;
}

export function hasFailedForGood(view: ContainerView, pod: PodView["pod"]): boolean {
  const exit = view.current?.exit;
  return exit !== undefined && exit.code !== 0 && !restarts(restartPolicyOf(view, pod), exit.code);
}
