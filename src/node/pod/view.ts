import { readdirSync } from "node:fs";
import type { Pod } from "#kube/generated/types";
import type { Prober } from "../probe/prober.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";
import { restartsAfter } from "../status/restart-policy.ts";
import {
  type ContainerKind,
  type ContainerView,
  kindOf,
  type PodView,
  type Waiting,
} from "../status/run-view.ts";
import type { Resizes } from "./resizes.ts";

/** The pod's containers with what the runtime knows of them. Runs of an earlier sandbox are past, whatever their end. */
export function viewPod(
  pod: Pod,
  {
    runtime,
    waiting,
    prober,
    anewSince,
    resizes,
  }: {
    runtime: Runtime;
    waiting: ReadonlyMap<string, Waiting>;
    prober: Prober;
    /** When all containers were last told to begin anew; RFC 3339. */
    anewSince: string | undefined;
    resizes: Resizes;
  },
): PodView {
  const uid = pod.metadata.uid ?? "";
  const sandbox = runtime.sandbox(uid);
  const runs = runtime.runs(uid);
  const since = [sandbox?.createdAt, anewSince]
    .filter((at) => at !== undefined)
    .sort()
    .at(-1);
  const view = (spec: ContainerView["spec"], kind: ContainerKind): ContainerView => {
    const own = runs.filter(({ name }) => name === spec.name);
    const isPast = (run: Run | undefined) =>
      run !== undefined && kind !== "ephemeral" && since !== undefined && run.createdAt < since;
    const [current, last] = isPast(own[0]) ? [undefined, own[0]] : own;
    const seen = {
      kind,
      spec,
      current,
      last,
      waiting: waiting.get(spec.name),
      given: current && resizes.isDue(current.id, spec) ? resizes.givenTo(current.id) : undefined,
      isStarted: current ? prober.isStarted(current, spec) : false,
      isReady: current ? prober.isReady(current, spec) : false,
    };
    // One that could not be started and is not tried again does not wait: it has ended.
    const isOver = current?.exit !== undefined && !restartsAfter(seen, pod, current.exit.code);
    return isOver ? { ...seen, waiting: undefined } : seen;
  };
  return {
    pod,
    sandbox,
    pendingResize: resizes.pending,
    containers: [
      ...(pod.spec?.initContainers ?? []).map((spec) => view(spec, kindOf(spec))),
      ...(pod.spec?.containers ?? []).map((spec) => view(spec, "regular")),
      ...(pod.spec?.ephemeralContainers ?? []).map((spec) => view(spec, "ephemeral")),
    ],
  };
}

/** The attempt a container's next run has: one more than any known of, be it only by a log file that is left. */
export function nextAttempt({ current, last, spec }: ContainerView, pod: Pod, logDir: string): number {
  const known = current ?? last;
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const statuses = [...containerStatuses, ...initContainerStatuses];
  const told = statuses.find(({ name, containerID }) => name === spec.name && containerID)?.restartCount;
  if (known) return Math.max(known.attempt + 1, told ?? 0);
  return Math.max(told === undefined ? 0 : told + 1, ...loggedAttempts(`${logDir}/${spec.name}`));
}

/** One more than each log file's number. */
function loggedAttempts(dir: string): readonly number[] {
  try {
    return readdirSync(dir).flatMap((name) => {
      const number = /^(\d+)\.log/.exec(name)?.[1];
      return number === undefined ? [] : [Number(number) + 1];
    });
  } catch {
    return []; // It never ran here.
  }
}
