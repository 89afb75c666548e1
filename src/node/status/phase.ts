import { restartsAfter } from "./restart-policy.ts";
import { type ContainerView, isRunning, type PodView } from "./run-view.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

/** The pod's phase, from its containers alone. `isTerminating` is the last word: nothing will run again.
 *  @see kubelet_pods.go getPhase */
export function podPhase({ pod, containers }: PodView, { isTerminating }: { isTerminating: boolean }): Phase {
  const of = (kind: ContainerView["kind"]) => containers.filter((view) => view.kind === kind);
  const [inits, sidecars, regular] = [of("init"), of("sidecar"), of("regular")];
  const hasBegun = regular.some((view) => view.current !== undefined);
  if (inits.some((view) => hasFailedForGood(view, pod))) return "Failed";
  if (!hasBegun && !isTerminating && (inits.some(isPending) || sidecars.some(isUnstarted))) return "Pending";
  if (regular.some((view) => lastEnd(view) === undefined && !isRunning(view)))
    return isTerminating ? "Failed" : "Pending";
  // What nobody has heard the end of when nothing may run any more has not ended well.
  if (regular.some(isRunning)) return isTerminating ? "Failed" : "Running";
  const isClean = regular.every((view) => lastEnd(view)?.code === 0);
  if (isTerminating) return isClean ? "Succeeded" : "Failed";
  if (regular.some((view) => restartsAfter(view, pod, lastEnd(view)?.code ?? 0))) return "Running";
  return isClean ? "Succeeded" : "Failed";
}

export function isTerminal(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** A container that waits has an end behind it, if only in a sandbox that is gone. */
function lastEnd(view: ContainerView) {
  return view.current ? view.current.exit : view.last?.exit;
}

function isPending(view: ContainerView): boolean {
  return view.current?.exit?.code !== 0;
}

function isUnstarted(view: ContainerView): boolean {
  return !isRunning(view) || !view.isStarted;
}

export function hasFailedForGood(view: ContainerView, pod: PodView["pod"]): boolean {
  const exit = view.current?.exit;
  return exit !== undefined && exit.code !== 0 && !restartsAfter(view, pod, exit.code);
}
