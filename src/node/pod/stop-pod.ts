import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { type ContainerView, isRunning, type PodView } from "../status/run-view.ts";
import { note, type PodContext } from "./context.ts";
import { runHook } from "./hooks.ts";

/** What is left to a container when its hook and its elders have used up the grace. */
const MIN_GRACE_MS = 2_000;

export interface StopOptions {
  /** When the grace is over, in milliseconds since the epoch. A newer, shorter one is seen while stopping. */
  readonly deadline: () => number;
  readonly podIp: string;
}

/** Stops all that runs in a pod: regular containers together, then sidecars in reverse order; preStop hooks first, inside the
 *  grace. Resolves once everything has ended. */
export async function stopPod(view: PodView, options: StopOptions, context: PodContext): Promise<void> {
  const running = view.containers.filter(isRunning);
  for (const { spec, kind } of running) {
    const list = kind === "regular" ? "containers" : "initContainers";
    note(context, view.pod, {
      type: "Normal",
      reason: "Killing",
      message: `Stopping container ${spec.name}`,
      fieldPath: `spec.${list}{${spec.name}}`,
    });
  }
  const regular = running.filter(({ kind }) => kind !== "sidecar");
  await Promise.all(regular.map((one) => stopContainer(one, view.pod, options, context)));
  const sidecars = running.filter(({ kind }) => kind === "sidecar").reverse();
  for (const one of sidecars) await stopContainer(one, view.pod, options, context);
}

/** Runs one container's preStop hook and stops it. */
export async function stopContainer(
  { spec, current }: ContainerView,
  pod: Pod,
  { deadline, podIp }: StopOptions,
  context: PodContext,
): Promise<void> {
  if (!current) return;
  const { runtime, clock, signal } = context;
  const leftMs = () => Math.max(0, deadline() - clock.now());
  const hook = spec.lifecycle?.preStop;
  if (hook && leftMs() > 0) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(leftMs())]);
    const target = { runtime, run: current, container: spec, ip: podIp };
    await runHook(hook, target, { signal: limit }).catch((error: unknown) => {
      note(context, pod, {
        type: "Warning",
        reason: "FailedPreStopHook",
        message: `PreStopHook failed: ${explain(error)}`,
      });
    });
  }
  const graceMs = hook ? Math.max(MIN_GRACE_MS, leftMs()) : leftMs();
  await runtime.stopContainer(current.id, { graceMs });
}
