import type { Pod } from "#kube/generated/types";
import { type ContainerView, fieldPathOf, isRunning, type PodView } from "../status/run-view.ts";
import { note, type PodContext } from "./context.ts";
import { runHook } from "./hooks.ts";

/** What is left to a container when its hook and its elders have used up the grace. */
export const MIN_GRACE_MS = 2_000;
/** How often a wait looks whether the grace has become shorter meanwhile. */
const LOOK_MS = 250;

export interface StopOptions {
  /** When the grace is over, in milliseconds since the epoch. A newer, shorter one is seen while stopping. */
  readonly deadline: () => number;
  readonly podIp: string;
}

/** Stops all that runs in a pod. All preStop hooks run at once; regular containers end together, then each sidecar once those that were
 *  started after it have ended; all inside the grace, after which nobody waits. @see kubelet kuberuntime/termination_order.go */
export async function stopPod(view: PodView, options: StopOptions, context: PodContext): Promise<void> {
  const running = view.containers.filter(isRunning);
  for (const one of running)
    note(context, view.pod, {
      type: "Normal",
      reason: "Killing",
      message: `Stopping container ${one.spec.name}`,
      fieldPath: fieldPathOf(one),
    });
  const others = running.filter(({ kind }) => kind !== "sidecar");
  const ends: Promise<void>[] = others.map((one) => stopContainer(one, view.pod, options, context));
  for (const one of running.filter(({ kind }) => kind === "sidecar").reverse()) {
    const elders = Promise.allSettled(ends.slice());
    ends.push(stopContainer(one, view.pod, { ...options, turn: elders }, context));
  }
  await Promise.all(ends);
}

/** Runs one container's preStop hook, waits for its turn, and stops it. */
export async function stopContainer(
  view: ContainerView,
  pod: Pod,
  { deadline, podIp, turn }: StopOptions & { readonly turn?: Promise<unknown> },
  context: PodContext,
): Promise<void> {
  const { runtime, clock } = context;
  const { spec, current } = view;
  if (!current) return;
  const isLeft = () => deadline() > clock.now();
  const hook = spec.lifecycle?.preStop;
  if (hook && isLeft()) await preStop(view, pod, { deadline, podIp }, context);
  if (turn && isLeft()) await within(deadline, turn, context);
  await runtime.stopContainer(current.id, { graceMs: Math.max(MIN_GRACE_MS, deadline() - clock.now()) });
}

async function preStop(
  view: ContainerView,
  pod: Pod,
  { deadline, podIp }: StopOptions,
  context: PodContext,
): Promise<void> {
  const { spec, current } = view;
  const handler = spec.lifecycle?.preStop;
  if (!handler || !current) return;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const target = {
    ...{ pod, runtime: context.runtime, run: current, container: spec, ip: podIp },
    onFallback: (host: string) => noteFallback(context, pod, host),
  };
  const work = runHook(handler, target, { signal }).catch(() => {
    if (context.signal.aborted || handler.sleep) return; // Only a pause may be cut short.
    // Without what it said: that may be a secret of the server it asked.
    const what = { type: "Warning", reason: "FailedPreStopHook", message: "PreStopHook failed" } as const;
    note(context, pod, { ...what, fieldPath: fieldPathOf(view) });
  });
  await within(deadline, work, context);
  stop.abort();
}

export function noteFallback(context: PodContext, pod: Pod, host: string): void {
  note(context, pod, {
    type: "Warning",
    reason: "LifecycleHTTPFallback",
    message: `request to HTTPS lifecycle hook ${host} got HTTP response, retry with HTTP succeeded`,
  });
}

/** Resolves with the work, or when the deadline, which may come nearer, is over. */
async function within(
  deadline: () => number,
  work: Promise<unknown>,
  { clock, signal }: PodContext,
): Promise<void> {
  let isDone = false;
  const done = work.then(() => {
    isDone = true;
  });
  while (!isDone && !signal.aborted) {
    const leftMs = deadline() - clock.now();
    if (leftMs <= 0) return;
    const stop = new AbortController();
    const pause = clock
      .sleep(Math.min(leftMs, LOOK_MS), { signal: AbortSignal.any([signal, stop.signal]) })
      .catch(() => undefined);
    await Promise.race([done, pause]);
    stop.abort();
  }
}
