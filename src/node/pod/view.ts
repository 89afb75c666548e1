import type { Container, Pod } from "#kube/generated/types";
import type { Prober } from "../probe/prober.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";
import { type ContainerView, kindOf, type PodView, type Waiting } from "../status/run-view.ts";

/** The pod's containers with what the runtime knows of them. Runs of an earlier sandbox are past, whatever their end. */
export function viewPod(
  pod: Pod,
  { runtime, waiting, prober }: { runtime: Runtime; waiting: ReadonlyMap<string, Waiting>; prober: Prober },
): PodView {
  const uid = pod.metadata.uid ?? "";
  const sandbox = runtime.sandbox(uid);
  const runs = runtime.runs(uid);
  const view = (spec: Container, isInit: boolean): ContainerView => {
    const own = runs.filter(({ name }) => name === spec.name);
    const isPast = (run: Run | undefined) =>
      run !== undefined && sandbox && run.createdAt < sandbox.createdAt;
    const [current, last] = isPast(own[0]) ? [undefined, own[0]] : own;
    return {
      kind: kindOf(spec, isInit),
      spec,
      current,
      last,
      waiting: waiting.get(spec.name),
      isStarted: current ? prober.isStarted(current, spec) : false,
      isReady: current ? prober.isReady(current, spec) : false,
    };
  };
  return {
    pod,
    sandbox,
    containers: [
      ...(pod.spec?.initContainers ?? []).map((spec) => view(spec, true)),
      ...(pod.spec?.containers ?? []).map((spec) => view(spec, false)),
    ],
  };
}

/** The attempt a container's next run has: one more than any known of. */
export function nextAttempt({ current, last, spec }: ContainerView, pod: Pod): number {
  const known = current ?? last;
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const told = statuses.find(({ name, containerID }) => name === spec.name && containerID)?.restartCount;
  return Math.max(known ? known.attempt + 1 : 0, told === undefined ? 0 : told + (known ? 0 : 1));
}
